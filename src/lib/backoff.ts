export interface Backoff {
  /** The longest delay before the first repeat, in milliseconds. */
  readonly baseMs: number;
  /** No delay is longer than this, in milliseconds. */
  readonly maxMs: number;
}

/**
 * Exponential backoff with full jitter: uniform in [0, min(maxMs, baseMs × 2^(attempt − 1))]. Full jitter spreads
 * a crowd of retries best (AWS Architecture Blog, "Exponential Backoff And Jitter").
 *
 * @param attempt the attempt that just failed, from 1.
 * @returns milliseconds to wait before the next one.
 */
export function backoffMs(attempt: number, backoff: Backoff, random: () => number = Math.random): number {
  const ceiling = Math.min(backoff.maxMs, backoff.baseMs * 2 ** Math.min(attempt - 1, 30));
  return Math.round(random() * ceiling);
}
