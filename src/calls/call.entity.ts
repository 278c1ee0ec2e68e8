import { defineEntity, p } from '@mikro-orm/core';
import type { Dispatch, ExecutionMode } from './call-modes.js';

/** What became of a call. ACCEPTED: its executions are not all terminal yet. */
export const CALL_OUTCOMES = [
  'ACCEPTED',
  'SUCCEEDED',
  'FAILED',
  'SUPERSEDED',
  'REJECTED_AUTHENTICATION',
  'REJECTED_ADDRESS',
  'REJECTED_INACTIVE',
  'REJECTED_MALFORMED',
  'REJECTED_INPUT',
  'RATE_LIMITED',
  'DUPLICATE',
  'HANDSHAKE',
  'IGNORED',
] as const;
export type CallOutcome = (typeof CALL_OUTCOMES)[number];

/** One POST to a webhook. The request never changes; outcome, status, duration and `pending` follow the executions. */
export const CallEntity = defineEntity({
  name: 'Call',
  tableName: 'calls',
  properties: {
    id: p.uuid().primary(),
    webhookId: p.uuid(),
    receivedAt: p.datetime(),
    executionMode: p.text().$type<ExecutionMode>(),
    dispatch: p.text().$type<Dispatch>(),
    outcome: p.enum(CALL_OUTCOMES).$type<CallOutcome>(),
    httpStatus: p.smallint().nullable(),
    durationMs: p.integer().nullable(),
    isTest: p.boolean(),
    sourceIp: p.text().nullable(),
    requestHeaders: p.json<Record<string, string>>(),
    requestBody: p.blob(),
    rejectionReason: p.text().nullable(),
    rejectionCode: p.text().nullable(),
    deliveryId: p.text().nullable(),
    replayOf: p.uuid().nullable(),
    pending: p.smallint(),
    failures: p.smallint(),
    finishedAt: p.datetime().nullable(),
  },
});
