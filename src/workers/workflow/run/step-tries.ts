import { AppError } from '../../../errors.js';
import { backoffMs } from '../../../lib/backoff.js';
import type { StepRetry } from '../workflow.js';

/** No pause between two tries is longer, in milliseconds. */
const PAUSE_MS_MAX = 3_600_000;

/**
 * Whether, and after how long, a step that failed is tried again: when its error may pass and tries are left. What says
 * by itself when to come again is asked then.
 *
 * @param tries those that were begun, the one that failed included.
 * @returns milliseconds; `undefined` when it has failed for good.
 */
export function pauseBeforeNextTry(
  error: unknown,
  tries: number,
  { max, backoff, delayMs }: StepRetry,
  random?: () => number,
): number | undefined {
  const mayPass = error instanceof AppError ? error.retryable : true;
  if (!mayPass || tries > max) return undefined;
  if (error instanceof AppError && error.retryAfterMs !== undefined) return Math.min(error.retryAfterMs, PAUSE_MS_MAX);
  if (backoff === 'fixed') return delayMs;
  return Math.max(delayMs, backoffMs(tries + 1, { baseMs: delayMs, maxMs: PAUSE_MS_MAX }, random));
}
