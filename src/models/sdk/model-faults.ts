import { APICallError, JSONParseError, ToolChoiceViolationError, TypeValidationError } from 'ai';
import { AppError, type AppErrorOptions, type ErrorCode } from '../../errors.js';
import { parseRetryAfter } from '../../lib/retry-after.js';
import { cleaned } from './clean-provider-text.js';

/** What a fault is judged and cleaned by. */
export interface FaultContext {
  readonly apiKey: string | undefined;
  /** What was sent; nothing of it may stand in a message. */
  readonly prompt: unknown;
  /** Whether a part of the answer came before. */
  answered: boolean;
}

/** The stream ended before the answer did. */
export function cutOff(): AppError {
  return new AppError('MODEL_CUT_OFF', undefined, { retryable: true });
}

/** The provider keeps the connection open and says nothing. */
export function silent(silentMs: number): AppError {
  return new AppError('MODEL_CUT_OFF', `The model sent nothing for ${silentMs} ms.`, { retryable: true });
}

/** The limit of an account that only its owner can raise comes as a rate limit, too. */
const NO_MONEY = /insufficient_quota|billing|credit balance/i;

/**
 * Makes an error of ours from whatever the SDK throws or streams. Those errors carry the request and the response:
 * none of them is kept as a cause, for causes are logged.
 */
export function modelFault(thrown: unknown, context: FaultContext): AppError {
  const ours = refusalIn(thrown);
  if (ours !== undefined) return ours;
  if (JSONParseError.isInstance(thrown) || TypeValidationError.isInstance(thrown)) {
    return new AppError('MODEL_OUTPUT_INVALID', undefined, { retryable: true });
  }
  if (ToolChoiceViolationError.isInstance(thrown)) return new AppError('MODEL_ASKED_FOR_TOOL');
  const refused = statusOf(thrown);
  if (refused !== undefined) return statusFault(refused, context);
  const reported = reportedInStream(thrown);
  if (reported !== undefined) return reportedFault(reported, context);
  if (context.answered) return cutOff();
  if (APICallError.isInstance(thrown) || isNetworkError(thrown)) {
    return new AppError('MODEL_FAILED', "The model's provider could not be reached.", { retryable: true });
  }
  return failed(textOf(thrown), context, false);
}

type StatusError = Pick<APICallError, 'message' | 'cause' | 'responseHeaders' | 'responseBody'> & {
  readonly statusCode: number;
};

/** Errors in the middle of a stream have a status, too, that the SDK made of the provider's word for them. */
function statusOf(thrown: unknown): StatusError | undefined {
  if (!(thrown instanceof Error) || !('statusCode' in thrown) || typeof thrown.statusCode !== 'number')
    return undefined;
  return thrown as Error & StatusError;
}

function statusFault(error: StatusError, context: FaultContext): AppError {
  const status = error.statusCode;
  const retryAfterMs = retryAfterOf(error);
  const text = `status ${status}: ${error.message}`;
  const isLimit = status === 429 && !NO_MONEY.test(`${error.message} ${error.responseBody ?? ''}`);
  const passing: AppErrorOptions = { retryable: true, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  if (isLimit) return said('MODEL_RATE_LIMITED', text, context, passing);
  if (status === 529 || status === 503) return said('MODEL_OVERLOADED', text, context, passing);
  if (status >= 200 && status <= 299) {
    return isNetworkError(error.cause)
      ? cutOff()
      : new AppError('MODEL_OUTPUT_INVALID', undefined, { retryable: true });
  }
  return failed(text, context, status >= 500 || status === 408);
}

function retryAfterOf({ responseHeaders }: StatusError): number | undefined {
  const milliseconds = Number(responseHeaders?.['retry-after-ms'] ?? NaN);
  if (milliseconds >= 0) return Math.min(milliseconds, 3_600_000);
  return parseRetryAfter(responseHeaders?.['retry-after'], Date.now());
}

/** Errors that come as an event of the stream, as `{ type, code?, message }`. */
interface Reported {
  readonly kind: string;
  readonly message: string;
}

function reportedInStream(thrown: unknown): Reported | undefined {
  if (thrown instanceof Error || typeof thrown !== 'object' || thrown === null) return undefined;
  const { type, code, message, error } = thrown as Readonly<Record<string, unknown>>;
  if (typeof error === 'object' && error !== null) return reportedInStream(error);
  if (typeof message !== 'string') return undefined;
  return { kind: [type, code].filter((word) => typeof word === 'string').join(' '), message };
}

function reportedFault({ kind, message }: Reported, context: FaultContext): AppError {
  const text = kind === '' ? message : `${kind}: ${message}`;
  if (/overloaded/i.test(kind)) return said('MODEL_OVERLOADED', text, context, { retryable: true });
  if (/rate_limit/i.test(kind)) return said('MODEL_RATE_LIMITED', text, context, { retryable: true });
  return failed(text, context, !/invalid|auth|permission|not_found/i.test(kind));
}

function failed(text: string, context: FaultContext, retryable: boolean): AppError {
  return said('MODEL_FAILED', text, context, { retryable });
}

function said(code: ErrorCode, text: string, { apiKey, prompt }: FaultContext, options: AppErrorOptions): AppError {
  const sentence = code === 'MODEL_FAILED' ? "The model's provider answered" : 'The model has no room now';
  return new AppError(code, `${sentence}: ${cleaned(text, apiKey, prompt)}`, options);
}

function textOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : 'an error without a text';
}

/** The guard's own errors, which libraries wrap. */
function refusalIn(thrown: unknown): AppError | undefined {
  for (let at = thrown, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth += 1) {
    if (at instanceof AppError) return at;
  }
  return undefined;
}

function isNetworkError(thrown: unknown): boolean {
  return thrown instanceof TypeError || (thrown instanceof Error && 'code' in thrown);
}
