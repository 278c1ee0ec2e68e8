import type { CallbackStatus } from '../callbacks/callback.js';
import type { CallOutcome } from '../calls/call.entity.js';
import type { WorkerVersionChoice } from '../executions/retry.js';
import type { ExecutionStatus } from '../executions/states.js';

/** What is done to each of many. */
export const BULK_KINDS = ['REPLAY', 'RETRY', 'CANCEL', 'REPLAY_CALLBACKS'] as const;
export type BulkKind = (typeof BULK_KINDS)[number];

/** QUEUED: no runner has begun. COMPLETED: everything was looked at. The last two never change again. */
export const BULK_STATUSES = ['QUEUED', 'RUNNING', 'COMPLETED', 'CANCELED'] as const;
export type BulkStatus = (typeof BULK_STATUSES)[number];

/** To what it is done, as it is stored. Ids are UUIDs but the worker's; times are ISO-8601. */
export interface BulkFilter {
  readonly webhookId?: string;
  readonly callId?: string;
  readonly workerId?: string;
  /** Of calls. */
  readonly outcomes?: readonly CallOutcome[];
  /** Of executions. */
  readonly statuses?: readonly ExecutionStatus[];
  /** Of callbacks. */
  readonly callbackStatuses?: readonly CallbackStatus[];
  /** Calls that were received then or later. */
  readonly from?: string;
  /** Calls that were received before. */
  readonly to?: string;
}

/** One that could not be done, with its public id. */
export interface BulkFailure {
  readonly id: string;
  readonly reason: string;
}

/** Something that is done to many, in the background. Ids are UUIDs. */
export interface BulkOperationView {
  readonly id: string;
  readonly kind: BulkKind;
  readonly status: BulkStatus;
  readonly filter: BulkFilter;
  readonly workerVersion: WorkerVersionChoice | null;
  /** How far it has come through the time that it goes over, from 0 to 1. */
  readonly progress: number;
  readonly lookedAt: number;
  readonly succeeded: number;
  readonly failed: number;
  /** The first ones. */
  readonly failures: readonly BulkFailure[];
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
}
