import { AppError } from '../../errors.js';
import { parseRetryAfter } from '../../lib/retry-after.js';
import type { OutboundResponse } from '../../outbound/outbound-client.js';

/** Statuses below 500 that ask for another try: request timeout, too early, too many requests. */
const RETRYABLE_STATUSES = new Set([408, 425, 429]);

/**
 * The error of a response that is no success: retryable when the status says that it may pass, with its Retry-After. A
 * status of success that the worker's own condition does not take will be the same the next time.
 */
export function responseFailure({ status, headers }: OutboundResponse, nowMs: number): AppError {
  if (status >= 200 && status <= 299) {
    const message = `The response, with status ${status}, does not meet the worker's condition.`;
    return new AppError('HTTP_WORKER_UNSUCCESSFUL', message);
  }
  const redirect = status >= 300 && status <= 399 ? ' Redirects are not followed.' : '';
  const retryable = status >= 500 || RETRYABLE_STATUSES.has(status);
  const retryAfter = headers['retry-after'];
  const retryAfterMs = retryable && typeof retryAfter === 'string' ? parseRetryAfter(retryAfter, nowMs) : undefined;
  return new AppError('HTTP_WORKER_STATUS', `The endpoint answered with status ${status}.${redirect}`, {
    retryable,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}
