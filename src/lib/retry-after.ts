/** A sender that asks for longer waits this long. */
const RETRY_AFTER_MS_MAX = 3_600_000;

/**
 * Reads `Retry-After`: whole seconds or an HTTP date (RFC 9110, 10.2.3).
 *
 * @returns milliseconds from `nowMs`, an hour at most; `undefined` when it is missing or neither.
 */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  const text = value?.trim() ?? '';
  if (/^\d{1,10}$/.test(text)) return Math.min(Number(text) * 1_000, RETRY_AFTER_MS_MAX);
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return undefined; // Date.parse reads far more than HTTP dates
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : Math.min(Math.max(0, atMs - nowMs), RETRY_AFTER_MS_MAX);
}
