import { defineEntity, p } from '@mikro-orm/core';
import { EXECUTION_STATUSES, type ExecutionStatus } from './states.js';

/** What went wrong, as callers and dashboards see it. */
export interface ExecutionError {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  /** After how many milliseconds from its end the same may work, where that is known. */
  readonly retryAfterMs?: number;
}

/** One run of one worker for one call. */
export const ExecutionEntity = defineEntity({
  name: 'Execution',
  tableName: 'executions',
  properties: {
    id: p.uuid().primary(),
    callId: p.uuid(),
    webhookId: p.uuid(),
    workerId: p.text(),
    workerVersion: p.integer().nullable(),
    position: p.smallint(),
    status: p.enum(EXECUTION_STATUSES).$type<ExecutionStatus>(),
    attempt: p.smallint(),
    leaseToken: p.uuid().nullable(),
    leasedBy: p.uuid().nullable(),
    queuedAt: p.datetime(),
    startedAt: p.datetime().nullable(),
    finishedAt: p.datetime().nullable(),
    promptTokens: p.integer().nullable(),
    completionTokens: p.integer().nullable(),
    cachedTokens: p.integer().nullable(),
    costNanos: p.bigint().nullable(),
    result: p.json<unknown>().nullable(),
    error: p.json<ExecutionError>().nullable(),
    lastEventSeq: p.integer(),
    cancelRequestedAt: p.datetime().nullable(),
    retryOf: p.uuid().nullable(),
    retriedBy: p.uuid().nullable(),
  },
});
