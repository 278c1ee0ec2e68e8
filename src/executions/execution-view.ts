import type { JsonText } from '../lib/json-text.js';
import type { ExecutionError } from './execution.entity.js';
import type { ExecutionStatus } from './states.js';

/** An execution as results are read: JSON stays the text that it is stored as. Ids are UUIDs but the worker's. */
export interface ExecutionView {
  readonly id: string;
  readonly callId: string;
  readonly webhookId: string;
  readonly workerId: string;
  readonly workerVersion: number | null;
  /** Place in the webhook's list of workers, from 0. */
  readonly position: number;
  readonly status: ExecutionStatus;
  readonly attempt: number;
  readonly queuedAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
  /** Of the prompt tokens, those from providers' caches. */
  readonly cachedTokens: number | null;
  /** What models were paid, in nano-dollars; `null` when none was asked. */
  readonly costNanos: bigint | null;
  readonly result: JsonText | null;
  readonly error: ExecutionError | null;
  readonly lastEventSeq: number;
  /** When somebody wanted it to end. */
  readonly cancelRequestedAt: Date | null;
  /** The execution that this one runs again. */
  readonly retryOf: string | null;
  /** The execution that runs this one again, and stands in its place. */
  readonly retriedBy: string | null;
}
