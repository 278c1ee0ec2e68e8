/**
 * Every code that a caller, a client or an operator can meet, with the sentence that explains it. The code is the
 * contract; HTTP statuses and GraphQL codes are chosen at the edges (`http/problem.ts`, `graphql/errors.ts`).
 */
export const ERROR_CODES = {
  // the ingress
  MALFORMED_WEBHOOK_ID: 'A webhook id is "wh_" and 26 characters of base32.',
  WEBHOOK_NOT_FOUND: 'There is no such webhook.',
  AUTHENTICATION_FAILED: 'The request could not be authenticated for this webhook.',
  ADDRESS_NOT_ALLOWED: 'This webhook takes no calls from this address.',
  WEBHOOK_INACTIVE: 'This webhook is not active.',
  HTTPS_REQUIRED: 'Send this request over HTTPS. Treat a secret that was sent in the clear as leaked.',
  METHOD_NOT_ALLOWED: 'This method is not allowed here.',
  REQUEST_TIMEOUT: 'The request did not arrive in time.',
  PAYLOAD_TOO_LARGE: 'The body is larger than this webhook accepts.',
  UNSUPPORTED_MEDIA_TYPE: 'The body must be JSON (application/json or application/*+json), without a Content-Encoding.',
  HEADERS_TOO_LARGE: 'The request headers are too large.',
  MALFORMED_REQUEST: 'The request is not well-formed HTTP.',
  MALFORMED_BODY: 'The body is not acceptable JSON.',
  INVALID_INPUT: "The body does not fit a worker's input schema.",
  IDEMPOTENCY_KEY_INVALID: 'The Idempotency-Key header is not one string of 1 to 255 printable ASCII characters.',
  IDEMPOTENCY_MISMATCH: 'This key was used before for a call with another body.',
  RATE_LIMITED: 'A rate limit is exhausted.',
  OVERLOADED: 'Too many calls are waiting to be stored. Nothing was accepted.',
  STORAGE_UNAVAILABLE: 'The call could not be stored. Nothing was acknowledged.',

  // results and the admin API
  NOT_FOUND: 'There is no such thing, or it is not yours to see.',
  TOO_MANY_WAITERS: 'Too many requests are waiting for results here. Ask again without waiting, or later.',
  GONE: 'This was removed when its retention time ended.',
  UNAUTHENTICATED: 'Sign in, or send an API token in the Authorization header.',
  IDENTITY_PROVIDER_FAILED: 'The identity provider cannot be reached now.',
  IDENTITY_REFUSED: 'The identity provider did not confirm the sign-in.',
  IDENTITY_UNKNOWN: 'You are known to the identity provider, but nobody has invited you here.',
  FORBIDDEN: 'Your role or token does not allow this.',
  BAD_USER_INPUT: 'The input is not valid.',
  CONFLICT: 'This was changed by somebody else in the meantime.',
  COST_LIMIT_EXCEEDED: 'The operation is too large.',
  INTERNAL_SERVER_ERROR: 'Something went wrong on our side.',

  // executions
  WORKER_FAILED: 'The worker threw an error.',
  POSTPONED: 'The execution waits and goes on by itself.',
  WORKER_TIMED_OUT: 'The worker did not finish within its timeout.',
  WORKER_OUT_OF_MEMORY: 'The worker needed more memory than it may have.',
  WORKER_CRASHED: 'The worker ended the thread that it ran in.',
  WORKER_NOT_LOADED: 'The worker is not loaded in this runner.',
  WORKER_INPUT_REFUSED: "The worker's input does not fit its schema.",
  WORKER_OUTPUT_INVALID: 'The worker returned something that is not JSON, or too large.',
  WORKER_CALL_REFUSED: 'A worker may not call itself, directly or through others, nor call too deep.',
  RUNNER_LOST: 'The runner stopped while it ran this, as often as is allowed.',
  HTTP_WORKER_STATUS: 'The endpoint answered with an error.',
  HTTP_WORKER_UNREACHABLE: 'The endpoint could not be reached.',
  HTTP_WORKER_REQUEST_INVALID: 'The templates make something that is no valid request.',
  HTTP_WORKER_UNSUCCESSFUL: "The response does not meet the worker's condition.",
  AGENT_STEPS_EXHAUSTED: 'The agent made all its steps and came to no answer.',
  AGENT_OUTPUT_INVALID: "The agent's answer does not fit its output schema.",
  MCP_UNAVAILABLE: 'An MCP server of the agent could not be reached.',
  TOOL_FAILED: 'A tool failed.',
  APPROVAL_REJECTED: 'A person rejected it.',
  APPROVAL_EXPIRED: 'Nobody decided in time.',
  WORKFLOW_TOO_LARGE: 'The workflow came to more than an execution may hold.',
  TEMPLATE_INVALID: 'The template is not well-formed.',
  TEMPLATE_FAILED: 'The template could not be filled in.',
  CONNECTION_NOT_FOUND: 'The connection that this uses does not exist.',
  OUTBOUND_PATH_INVALID: 'The path leads out of the URL that it belongs below, or is not well-formed.',
  OUTBOUND_REFUSED: 'The address is not one that outbound requests may reach.',
  OUTBOUND_RESPONSE_TOO_LARGE: 'The response is larger than what is read of it.',
  MODEL_NOT_CONFIGURED: 'There is no such model. Create one (`createModel`), or set OPENAI_API_KEY or the like.',
  MODEL_RATE_LIMITED: 'The model has no room for this now.',
  MODEL_OVERLOADED: "The model's provider is overloaded.",
  MODEL_FAILED: "The model's provider answered with an error.",
  MODEL_CUT_OFF: "The model's answer was cut off.",
  MODEL_ASKED_FOR_TOOL: 'The model asked for a tool although it had to answer.',
  MODEL_OUTPUT_INVALID: "The model's answer cannot be read.",
  SPEND_CAP_REACHED: 'The webhook has spent what it may spend today.',
  CANCELED: 'The execution was canceled.',
  SUPERSEDED: 'A call that came soon after it took its place.',

  // the process
  STARTUP_FAILED: 'Workhook could not start.',
  CONFIGURATION_INVALID: 'A setting is not valid.',
  ENCRYPTION_KEY_INVALID: 'The encryption key is missing or is not the one that sealed the stored secrets.',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface AppErrorOptions {
  /** For the log only: what a caller must not see. Never a secret or a payload either. */
  readonly detail?: string;
  readonly cause?: unknown;
  /** Whether the same thing may work when tried again. */
  readonly retryable?: boolean;
  /** Milliseconds after which to try again. */
  readonly retryAfterMs?: number;
}

/** The one error type of our own: a code, a message for the caller, and what only the log may have. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly detail: string | undefined;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;

  /** @param message what the caller reads; without one, the code's sentence from {@link ERROR_CODES}. */
  constructor(
    readonly code: ErrorCode,
    message: string = ERROR_CODES[code],
    options: AppErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.detail = options.detail;
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/**
 * Thrown by a worker, or by what it rests on, that cannot go on now: the attempt is given back undone, its slot is free
 * and no attempt is spent. What it has stored as steps stays.
 */
export class Postponed extends Error {
  override readonly name = 'Postponed';

  /**
   * @param delayMs until it is tried again.
   * @param reason for a person who asks why the execution waits.
   * @param code what the execution of a sync call ends with when its caller will not wait for that long; without one it
   *   is tried again all the same.
   */
  constructor(
    readonly delayMs: number,
    readonly reason: string,
    readonly code?: ErrorCode,
  ) {
    super(reason);
  }
}

/** An error's message, for texts that quote one. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** PostgreSQL's SQLSTATE or Node's system code (`ECONNREFUSED`), when the error carries one. */
export function codeOf(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}
