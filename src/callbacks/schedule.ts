const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** The pause before each attempt of a round, in milliseconds: eight attempts within a bit more than a day. */
export const SCHEDULE_MS: readonly number[] = [
  0,
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  10 * HOUR,
];

/** Pauses are this much longer or shorter at random, so that what failed together does not come back together. */
const JITTER = 0.1;

/** What an attempt showed. */
export type AttemptResult =
  | { readonly type: 'answered'; readonly httpStatus: number; readonly retryAfterMs?: number | undefined }
  /** No answer came; another time it may. */
  | { readonly type: 'unanswered' }
  /** It must not be sent: the address is not allowed, or there is no one to send it to. */
  | { readonly type: 'unsendable' };

/** What follows from an attempt. */
export type CallbackPlan =
  | { readonly status: 'SUCCEEDED' | 'FAILED' }
  | { readonly status: 'PENDING'; readonly delayMs: number };

/** The receiver says that it will never want this again. */
const GONE = 410;

/** Answers whose `Retry-After` counts: too many requests, and not now. */
const WAITS = new Set([429, 503]);

/**
 * Decides what follows from an attempt: any 2xx ends it, 410 and what must not be sent end it for good, everything else
 * is tried again as long as the schedule goes. A receiver that asks for a longer pause gets it.
 *
 * @param tries attempts of this round before this one.
 */
export function planAfter(result: AttemptResult, tries: number, random: () => number = Math.random): CallbackPlan {
  if (result.type === 'unsendable') return { status: 'FAILED' };
  if (result.type === 'answered') {
    if (result.httpStatus >= 200 && result.httpStatus <= 299) return { status: 'SUCCEEDED' };
    if (result.httpStatus === GONE) return { status: 'FAILED' };
  }
  const pauseMs = SCHEDULE_MS[tries + 1];
  if (pauseMs === undefined) return { status: 'FAILED' };
  const asked = result.type === 'answered' && WAITS.has(result.httpStatus) ? (result.retryAfterMs ?? 0) : 0;
  return { status: 'PENDING', delayMs: Math.max(Math.round(pauseMs * (1 + JITTER * (2 * random() - 1))), asked) };
}
