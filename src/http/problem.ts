import { ERROR_CODES, type ErrorCode } from '../errors.js';
import type { HttpAnswer } from './answer.js';

/** The one place where a code becomes a status. */
const STATUS_OF: Readonly<Record<ErrorCode, number>> = {
  MALFORMED_WEBHOOK_ID: 400,
  WEBHOOK_NOT_FOUND: 404,
  AUTHENTICATION_FAILED: 401,
  ADDRESS_NOT_ALLOWED: 403,
  WEBHOOK_INACTIVE: 403,
  HTTPS_REQUIRED: 403,
  METHOD_NOT_ALLOWED: 405,
  REQUEST_TIMEOUT: 408,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  HEADERS_TOO_LARGE: 431,
  MALFORMED_REQUEST: 400,
  MALFORMED_BODY: 400,
  INVALID_INPUT: 400,
  IDEMPOTENCY_KEY_INVALID: 400,
  IDEMPOTENCY_MISMATCH: 422,
  RATE_LIMITED: 429,
  OVERLOADED: 503,
  STORAGE_UNAVAILABLE: 503,
  NOT_FOUND: 404,
  GONE: 410,
  TOO_MANY_WAITERS: 503,
  UNAUTHENTICATED: 401,
  IDENTITY_PROVIDER_FAILED: 503,
  IDENTITY_REFUSED: 401,
  IDENTITY_UNKNOWN: 403,
  FORBIDDEN: 403,
  BAD_USER_INPUT: 400,
  CONFLICT: 409,
  COST_LIMIT_EXCEEDED: 400,
  INTERNAL_SERVER_ERROR: 500,
  WORKER_FAILED: 500,
  POSTPONED: 500,
  WORKER_TIMED_OUT: 500,
  WORKER_OUT_OF_MEMORY: 500,
  WORKER_CRASHED: 500,
  WORKER_NOT_LOADED: 500,
  WORKER_INPUT_REFUSED: 500,
  WORKER_OUTPUT_INVALID: 500,
  WORKER_CALL_REFUSED: 500,
  RUNNER_LOST: 500,
  HTTP_WORKER_STATUS: 500,
  HTTP_WORKER_UNREACHABLE: 500,
  HTTP_WORKER_REQUEST_INVALID: 500,
  HTTP_WORKER_UNSUCCESSFUL: 500,
  AGENT_STEPS_EXHAUSTED: 500,
  APPROVAL_REJECTED: 500,
  APPROVAL_EXPIRED: 500,
  WORKFLOW_TOO_LARGE: 500,
  AGENT_OUTPUT_INVALID: 500,
  MCP_UNAVAILABLE: 500,
  TOOL_FAILED: 500,
  TEMPLATE_INVALID: 400,
  TEMPLATE_FAILED: 500,
  CONNECTION_NOT_FOUND: 500,
  OUTBOUND_PATH_INVALID: 500,
  OUTBOUND_REFUSED: 500,
  OUTBOUND_RESPONSE_TOO_LARGE: 500,
  MODEL_NOT_CONFIGURED: 500,
  MODEL_RATE_LIMITED: 429,
  MODEL_OVERLOADED: 500,
  MODEL_FAILED: 500,
  MODEL_CUT_OFF: 500,
  MODEL_ASKED_FOR_TOOL: 500,
  MODEL_OUTPUT_INVALID: 500,
  SPEND_CAP_REACHED: 500,
  CANCELED: 500,
  SUPERSEDED: 500,
  STARTUP_FAILED: 500,
  CONFIGURATION_INVALID: 500,
  ENCRYPTION_KEY_INVALID: 500,
};

/** The status of an answer with this code. */
export function problemStatus(code: ErrorCode): number {
  return STATUS_OF[code];
}

/** The status that a code is answered with. */
export function statusOf(code: ErrorCode): number {
  return STATUS_OF[code];
}

/** RFC 9457, 3. */
export const PROBLEM_JSON = 'application/problem+json';

/** What a problem response says, beyond what its code says. */
export interface Problem {
  readonly code: ErrorCode;
  /** The public text of this one occurrence; without it, the code's sentence. */
  readonly detail?: string | undefined;
  readonly requestId: string;
  /** Members that stand first, after `success`. */
  readonly first?: Readonly<Record<string, unknown>>;
  /** Members that follow. */
  readonly more?: Readonly<Record<string, unknown>>;
  /** Names and values in turn. */
  readonly headers?: readonly string[];
}

/** The members of RFC 9457 and ours: `success` and `error` are what callers of other endpoints look for. */
export function problemMembers(problem: Problem): Record<string, unknown> {
  const { code, requestId } = problem;
  const detail = problem.detail ?? ERROR_CODES[code];
  return {
    success: false,
    ...problem.first,
    error: detail,
    // A relative reference (RFC 9457, 3.1.1), so that it holds behind any proxy and host name.
    type: `/problems/${code.toLowerCase().replaceAll('_', '-')}`,
    title: ERROR_CODES[code],
    status: STATUS_OF[code],
    detail,
    code,
    requestId,
    ...problem.more,
  };
}

/** A problem as a whole response. */
export function problemAnswer(problem: Problem): HttpAnswer {
  return {
    status: STATUS_OF[problem.code],
    headers: ['Content-Type', PROBLEM_JSON, 'Cache-Control', 'no-store', ...(problem.headers ?? [])],
    body: JSON.stringify(problemMembers(problem)),
  };
}

/** Whole seconds for `Retry-After`, rounded up: who comes back earlier is refused again. */
export function retryAfterSeconds(retryAfterMs: number): string {
  return String(Math.max(1, Math.ceil(retryAfterMs / 1000)));
}
