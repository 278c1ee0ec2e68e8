import { AppError } from '../../../errors.js';
import type { HttpToolDefinition } from '../agent-definition.js';
import type { ConnectionClient } from '../../../connections/connection-client.js';
import { type Tool, TOOL_TIMEOUT_MS } from './tool.js';

/** Bytes of a response that are read; the model sees less than that. */
const RESPONSE_BYTES_MAX = 1_048_576;

/** `{name}` in a path. */
const PLACEHOLDER = /\{([^{}]*)\}/g;

/** The parameters that stand in a path, in order. */
export function pathParameters(path: string): string[] {
  return [...path.matchAll(PLACEHOLDER)].map((match) => match[1]!);
}

/** A tool that sends a request through a stored connection. Any status but 2xx is an error for the model to read. */
export function httpTool(definition: HttpToolDefinition, connections: Pick<ConnectionClient, 'request'>): Tool {
  const { name, description, parameters, connectionId, method, timeoutMs = TOOL_TIMEOUT_MS } = definition;
  const inBody = method === 'POST' || method === 'PUT' || method === 'PATCH';
  return {
    name,
    description,
    inputSchema: parameters,
    timeoutMs,
    call: async (input, { signal }) => {
      const { path, rest } = filledPath(definition.path, input);
      const response = await connections.request({
        connectionId,
        method,
        path: inBody ? path : withQuery(path, rest),
        ...(inBody && { body: JSON.stringify(rest), headers: JSON_HEADERS }),
        signal,
        timeoutMs,
        responseBytesMax: RESPONSE_BYTES_MAX,
      });
      const text = response.body.toString('utf8');
      if (response.status >= 200 && response.status <= 299) return { text: text === '' ? 'Done.' : text };
      return { text: `The request was answered with status ${response.status}. ${text}`, isError: true };
    },
  };
}

const JSON_HEADERS = { 'content-type': 'application/json', accept: 'application/json' };

/**
 * Puts the parameters into the path, each as the text of one segment. That the path stays below the connection's base
 * URL is the connection's to see to.
 *
 * @returns the path, and what of the input is not in it.
 * @throws AppError TOOL_FAILED when a value is no text for a path.
 */
function filledPath(
  template: string,
  input: Readonly<Record<string, unknown>>,
): { readonly path: string; readonly rest: Record<string, unknown> } {
  const rest = { ...input };
  const path = template.replace(PLACEHOLDER, (_, name: string) => {
    const value = Object.hasOwn(input, name) ? input[name] : undefined;
    const text = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? `${value}` : '';
    if (text === '' || !text.isWellFormed()) throw new AppError('TOOL_FAILED', `"${name}" cannot stand in the path.`);
    delete rest[name];
    return encodeURIComponent(text);
  });
  return { path, rest };
}

/** A list is repeated, anything deeper is JSON. */
function withQuery(path: string, parameters: Readonly<Record<string, unknown>>): string {
  const pairs = Object.entries(parameters).flatMap(([name, value]) =>
    (Array.isArray(value) ? (value as unknown[]) : [value])
      .filter((item) => item !== null && item !== undefined)
      .map((item): [string, string] => [name, typeof item === 'string' ? item : JSON.stringify(item)]),
  );
  if (pairs.length === 0) return path;
  return `${path}${path.includes('?') ? '&' : '?'}${new URLSearchParams(pairs).toString()}`;
}
