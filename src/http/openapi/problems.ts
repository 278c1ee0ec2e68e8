import { ERROR_CODES, type ErrorCode } from '../../errors.js';
import { PROBLEM_JSON, problemMembers, statusOf } from '../problem.js';
import {
  EXAMPLE,
  type HeaderForms,
  type Reference,
  type ResponseForm,
  type ResponseForms,
  type Schema,
} from './form.js';
import { headersOf, PROBLEM_HEADERS } from './headers.js';
import { INGRESS_PROBLEM_PROPERTIES, PROBLEM_PROPERTIES, PROBLEM_REQUIRED } from './schemas.js';

/** What a code's problem has besides: name, schema, example. */
const EXTENSIONS: Readonly<Partial<Record<ErrorCode, Readonly<Record<string, readonly [Schema, unknown]>>>>> = {
  INVALID_INPUT: {
    errors: [
      {
        type: 'array',
        items: {
          type: 'object',
          required: ['workerId', 'pointer', 'detail'],
          properties: {
            workerId: { type: 'string' },
            pointer: { type: 'string', description: 'Where in the body (RFC 6901).' },
            detail: { type: 'string' },
          },
        },
      },
      [{ workerId: EXAMPLE.workerId, pointer: '/amount', detail: 'must be >= 0' }],
    ],
  },
  RATE_LIMITED: {
    policy: [{ type: 'string', enum: ['global', 'user', 'webhook'] }, 'webhook'],
    retryAfterMs: [{ type: 'integer', minimum: 0 }, 30_000],
  },
};

/** What any request can be answered before it has come to its route. */
export const TRANSPORT_PROBLEMS: readonly ErrorCode[] = ['MALFORMED_REQUEST', 'REQUEST_TIMEOUT', 'HEADERS_TOO_LARGE'];

/**
 * The problem responses of an operation, by status.
 *
 * @param codes all that it can answer.
 * @param side the ingress has members of its own, the others have headers for browsers.
 * @param headers that any of them may have.
 */
export function problemResponses(
  codes: readonly ErrorCode[],
  side: 'ingress' | 'koa',
  headers: HeaderForms = {},
): ResponseForms {
  const byStatus = Map.groupBy(codes, statusOf);
  return Object.fromEntries(
    [...byStatus].map(([status, of]) => [String(status), problemResponse(status, of, side, headers)]),
  );
}

function problemResponse(
  status: number,
  codes: readonly ErrorCode[],
  side: 'ingress' | 'koa',
  headers: HeaderForms,
): ResponseForm {
  const first = side === 'ingress' ? INGRESS_PROBLEM_PROPERTIES : {};
  const more = codes.flatMap((code) =>
    Object.entries(EXTENSIONS[code] ?? {}).map(([name, [schema]]) => [name, schema]),
  );
  const schema: Schema = {
    type: 'object',
    required: PROBLEM_REQUIRED,
    properties: {
      ...PROBLEM_PROPERTIES,
      status: { const: status },
      code: { type: 'string', enum: codes },
      ...first,
      ...(Object.fromEntries(more) as Record<string, Schema>),
    },
  };
  return {
    description: codes.map((code) => `\`${code}\`: ${ERROR_CODES[code]}`).join('\n\n'),
    headers: headersOf({ ...PROBLEM_HEADERS[status], ...headers }, side === 'koa'),
    content: {
      [PROBLEM_JSON]: {
        schema,
        examples: Object.fromEntries(
          codes.map((code) => [code, { summary: ERROR_CODES[code], value: exampleOf(code, side) }]),
        ),
      },
    },
  };
}

function exampleOf(code: ErrorCode, side: 'ingress' | 'koa'): unknown {
  const more = Object.entries(EXTENSIONS[code] ?? {}).map(([name, [, example]]) => [name, example]);
  const webhookId = code === 'MALFORMED_WEBHOOK_ID' ? null : EXAMPLE.webhookId;
  const hasFirst = side === 'ingress' && !TRANSPORT_PROBLEMS.includes(code);
  return problemMembers({
    code,
    requestId: EXAMPLE.requestId,
    ...(hasFirst && { first: { webhookId, timestamp: EXAMPLE.timestamp } }),
    more: Object.fromEntries(more) as Record<string, unknown>,
  });
}

/** What no other entry of an operation foresees. */
export const PROBLEM_RESPONSE: ResponseForm = {
  description: 'Any other problem. `INTERNAL_SERVER_ERROR` is a fault of ours that nobody foresaw.',
  content: {
    [PROBLEM_JSON]: { schema: { type: 'object', required: PROBLEM_REQUIRED, properties: PROBLEM_PROPERTIES } },
  },
};

export const DEFAULT_RESPONSE: Reference = { $ref: '#/components/responses/Problem' };
