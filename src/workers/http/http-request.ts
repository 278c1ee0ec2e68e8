import { headerFault, lowerCased } from '../../outbound/outbound-headers.js';
import { urlBelow } from '../../outbound/url-below.js';
import { AppError } from '../../errors.js';
import { compileJsonTemplate, type JsonTemplate } from '../../templates/json-template.js';
import {
  compileCondition,
  compileUrlTemplate,
  type Condition,
  isTemplate,
  type TemplateScope,
} from '../../templates/template.js';
import { toResultText } from '../result-text.js';
import type { HttpSettings } from './http-definition.js';
import { splitUrlTemplate } from './http-url.js';

/** Where a request goes: an absolute URL, or a path of a connection. */
export type HttpTarget = { readonly url: string } | { readonly connectionId: string; readonly path: string };

export interface HttpBody {
  readonly text: string;
  /** Unless the worker's headers say otherwise. */
  readonly contentType: string;
}

/** An HTTP worker's templates, parsed once. Each function fills in one part of the request or reads the response. */
export interface CompiledHttpWorker {
  target(scope: TemplateScope): HttpTarget;
  /** In lower case. */
  headers(scope: TemplateScope): Record<string, string>;
  /** `undefined`: the input as it came. */
  readonly body: ((scope: TemplateScope) => HttpBody) | undefined;
  readonly successWhen: Condition | undefined;
  readonly result: JsonTemplate | undefined;
}

const HEADER_CHARACTERS_MAX = 8_192;
const BODY_BYTES_MAX = 10_485_760;

/**
 * Parses the templates of an HTTP worker.
 *
 * What it gives throws AppError TEMPLATE_FAILED (a variable is not there), OUTBOUND_PATH_INVALID and
 * HTTP_WORKER_REQUEST_INVALID (a value that cannot stand where it is put), none of them retryable.
 *
 * @throws AppError TEMPLATE_INVALID.
 */
export function compileHttpWorker(settings: HttpSettings): CompiledHttpWorker {
  const { templated, body, successWhen, result } = settings;
  return {
    target: compileTarget(settings),
    headers: templated ? compileHeaders(settings.headers) : () => lowerCased(settings.headers),
    body: body === null ? undefined : compileBody(body),
    successWhen: successWhen === null ? undefined : compileCondition(successWhen),
    result: result === null ? undefined : compileJsonTemplate(result),
  };
}

function compileTarget({ url, templated, connectionId, query }: HttpSettings): CompiledHttpWorker['target'] {
  const parameters = compileQuery(query);
  if (connectionId !== null) {
    const path = compileUrlTemplate(url);
    return (scope) => ({
      connectionId,
      path: withQuery(
        within('url', () => path.render(scope)),
        parameters(scope),
      ),
    });
  }
  const split = templated && isTemplate(url) ? splitUrlTemplate(url) : undefined;
  if (split === undefined) return (scope) => ({ url: withQuery(url.replace(/#.*$/s, ''), parameters(scope)) });
  const path = compileUrlTemplate(split.path);
  return (scope) => {
    const filled = within('url', () => path.render(scope));
    return { url: urlBelow(split.origin, withQuery(filled, parameters(scope))).href };
  };
}

type Parameters = readonly (readonly [name: string, value: string])[];

/** A value that is null leaves its parameter out, an array repeats it. */
function compileQuery(query: Readonly<Record<string, string>>): (scope: TemplateScope) => Parameters {
  const template = compileJsonTemplate(query);
  return (scope) => {
    const filled = within('query', () => template.evaluate(scope) as Record<string, unknown>);
    return Object.entries(filled).flatMap(([name, value]) =>
      [value].flat().flatMap((one) => (one === null || one === undefined ? [] : [[name, textOf(one)] as const])),
    );
  };
}

function withQuery(url: string, parameters: Parameters): string {
  if (parameters.length === 0) return url;
  const search = new URLSearchParams(parameters.map(([name, value]) => [name, value]));
  return `${url}${url.includes('?') ? '&' : '?'}${search.toString()}`;
}

/** A value that is null leaves its header out. */
function compileHeaders(headers: Readonly<Record<string, string>>): CompiledHttpWorker['headers'] {
  const template = compileJsonTemplate(lowerCased(headers));
  return (scope) => {
    const filled: [string, string][] = [];
    for (const [name, value] of Object.entries(within('headers', () => template.evaluate(scope) as object))) {
      if (value === null || value === undefined) continue;
      const text = textOf(value);
      if (text.length > HEADER_CHARACTERS_MAX || headerFault(name, text) !== undefined) {
        throw new AppError('HTTP_WORKER_REQUEST_INVALID', `The value for the header "${name}" is no header's.`);
      }
      filled.push([name, text]);
    }
    return Object.fromEntries(filled);
  };
}

/** A template that gives a text is sent as that text; anything else as JSON. */
function compileBody(body: unknown): (scope: TemplateScope) => HttpBody {
  const template = compileJsonTemplate(body);
  return (scope) => {
    const value = within('body', () => template.evaluate(scope));
    const built =
      typeof value === 'string'
        ? { text: value, contentType: 'text/plain; charset=utf-8' }
        : { text: toResultText(value), contentType: 'application/json' };
    if (Buffer.byteLength(built.text) > BODY_BYTES_MAX) {
      throw new AppError('HTTP_WORKER_REQUEST_INVALID', `The body has more than ${BODY_BYTES_MAX} bytes.`);
    }
    return built;
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Says which template failed. */
export function within<T>(place: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new AppError(error.code, `${place}: ${error.message}`, { cause: error });
  }
}
