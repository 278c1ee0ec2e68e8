/**
 * PENDING: an attempt is due or under way. SUCCEEDED: the receiver answered 2xx. FAILED: it is not tried any more.
 * SUPERSEDED: its call was retried before it was received; the retry's end has a callback of its own.
 */
export const CALLBACK_STATUSES = ['PENDING', 'SUCCEEDED', 'FAILED', 'SUPERSEDED'] as const;
export type CallbackStatus = (typeof CALLBACK_STATUSES)[number];

/** The word of a call's end to its webhook's callback URL. Ids are UUIDs. */
export interface CallbackView {
  readonly id: string;
  readonly callId: string;
  readonly webhookId: string;
  readonly status: CallbackStatus;
  /** How many attempts were made. */
  readonly attempts: number;
  readonly createdAt: Date;
  readonly nextAttemptAt: Date | null;
  readonly finishedAt: Date | null;
}

/** One try of a callback. */
export interface CallbackAttemptView {
  /** From 1, over all rounds. */
  readonly number: number;
  readonly at: Date;
  readonly durationMs: number;
  /** `null`: there was no answer. */
  readonly httpStatus: number | null;
  /** Why it did not succeed, for a person. */
  readonly error: string | null;
  /** The beginning of the answer; bytes that are not UTF-8 as U+FFFD. */
  readonly responseBody: string | null;
}
