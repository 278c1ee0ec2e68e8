import { AppError } from '../../errors.js';
import type { UserError } from '../../lib/user-error.js';
import { compileJsonTemplate } from '../../templates/json-template.js';
import { assertStorable, compileCondition, compileTemplate } from '../../templates/template.js';
import { urlFault } from './http-url.js';

/** What of an HTTP worker makes its request and reads the response. */
export interface HttpTemplates {
  /** GET, POST, PUT, PATCH or DELETE; POST by default. A GET sends no body. */
  readonly method?: string | undefined;
  /** A template of an absolute URL; with a connection, of a path below its base URL. */
  readonly url: string;
  /** `conn-…`: its base URL and credential are used. */
  readonly connectionId?: string | null | undefined;
  /** Query parameters: names and templates. */
  readonly query?: Readonly<Record<string, string>> | null | undefined;
  /** A template of the request's body: JSON whose texts are templates. Without one the input is sent as it came. */
  readonly body?: unknown;
  /** A template of the result, over `response`. Without one it is the whole response. */
  readonly result?: unknown;
  /** A condition over `response`: when it holds, the request succeeded. Without one: when the status is 2xx. */
  readonly successWhen?: string | null | undefined;
  /** Templates, sent with every request. They are sealed in the database and not shown again. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Finds every template of an HTTP worker that does not parse. What has another shape than it should is left out. */
export function templateFaults(input: HttpTemplates): readonly UserError[] {
  const { url, connectionId, method, headers, query, body, result, successWhen } = input;
  const connected = connectionId !== null && connectionId !== undefined;
  const fault = typeof url === 'string' ? urlFault(url, connected) : undefined;
  const sendsNone = method === 'GET' && body !== null && body !== undefined;
  return [
    ...(fault === undefined ? [] : [invalid(['url'], fault)]),
    ...textsIn(headers).flatMap(([name, text]) => faultOf(['headers', name], () => compileTemplate(text))),
    ...textsIn(query).flatMap(([name, text]) =>
      faultOf(['query', name], () => {
        assertStorable(name);
        compileTemplate(text);
      }),
    ),
    ...faultOf(['body'], () => compileJsonTemplate(body)),
    ...(sendsNone ? [invalid(['body'], 'A GET sends no body.')] : []),
    ...faultOf(['result'], () => compileJsonTemplate(result)),
    ...(typeof successWhen === 'string' ? faultOf(['successWhen'], () => compileCondition(successWhen)) : []),
  ];
}

function textsIn(value: unknown): readonly (readonly [name: string, text: string])[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  return Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
}

function faultOf(field: readonly string[], parse: () => unknown): readonly UserError[] {
  try {
    parse();
    return [];
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return [invalid(field, error.message)];
  }
}

function invalid(field: readonly string[], message: string): UserError {
  return { field, message, code: 'INVALID' };
}
