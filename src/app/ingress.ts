import { noteDeadline } from '../calls/note-deadline.js';
import { RejectedCallRecorder } from '../calls/rejected-calls.js';
import { releaseLimitedCall } from '../calls/release-call.js';
import { RepeatFinder } from '../calls/repeat-finder.js';
import { type CallToStore, storeCalls, type StoreResult } from '../calls/store-calls.js';
import { openBatchPool } from '../db/batch-pool.js';
import { isDataFault } from '../db/data-fault.js';
import { HeldClient } from '../db/held-client.js';
import { AppError } from '../errors.js';
import { beginWait } from '../executions/wait-for.js';
import { GroupCommit } from '../lib/group-commit.js';
import { CallLimiter } from '../rate-limits/limiter.js';
import { SecretUsage } from '../secrets/secret-usage.js';
import { AcceptCall } from '../webhooks/accept-call.js';
import type { AcceptCallOptions } from '../webhooks/accept-options.js';
import type { RunWorkerDeps } from '../webhooks/by-hand/run-worker.js';
import { explainRejection } from '../webhooks/diagnose/explain-rejection.js';
import { bodyBytesMaxOf } from '../webhooks/rules/body-limit.js';
import type { ReplayDeps } from '../webhooks/replay/replay-call.js';
import { WebhookCache } from '../webhooks/webhook-cache.js';
import type { Parts } from './parts.js';

/** One for the commit in flight, one each to look up webhooks, their versions and keys: one statement of each at a time. */
const ACCEPT_CONNECTIONS = 4;

/**
 * Bodies in one transaction, in bytes, and bodies that may wait for theirs. PostgreSQL takes no parameter of 1 GiB, and a
 * full queue of large bodies must not be what ends the process.
 */
const ACCEPT_BATCH_BYTES_MAX = 16 * 1_048_576;
const ACCEPT_QUEUE_BYTES_MAX = 256 * 1_048_576;

/** When a full queue is worth trying again. */
const OVERLOADED_RETRY_MS = 1_000;

export interface Ingress {
  readonly accept: AcceptCall;
  /** What replays of calls are made with. */
  readonly replay: ReplayDeps;
  /** What workers are run by hand with. */
  readonly byHand: RunWorkerDeps;
  readonly webhooks: WebhookCache;
}

/**
 * Puts the accept path together.
 *
 * @param publicUrl the base of our URLs; known once the server listens.
 */
export function buildIngress(stack: AsyncDisposableStack, parts: Parts, publicUrl: () => string): Ingress {
  const { config, log, clock, database, hub, listener, keyring, registry, shard } = parts;
  const pool = openBatchPool(database.url, { connectionsMax: ACCEPT_CONNECTIONS, joins: 'hash', log });
  stack.defer(() => pool.end());
  const webhooks = stack.adopt(
    new WebhookCache({ sql: pool, hub, keyring, clock, listening: () => listener.listening }),
    (cache) => cache.close(),
  );
  const limiter = stack.adopt(new CallLimiter({ database, hub, log, defaults: config.rateLimits }), (it) => it.close());
  const rejectedCalls = stack.adopt(new RejectedCallRecorder({ sql: database.pool, clock, log, shard }), (recorder) =>
    recorder.close(),
  );
  const secretUsage = stack.adopt(new SecretUsage({ sql: database.pool, clock, log }), (usage) => usage.close());
  const commits = stack.adopt(new HeldClient(pool), (client) => client.close());
  const groupCommit = stack.adopt(
    new GroupCommit<CallToStore, StoreResult>({
      commit: (calls) => storeCalls(commits, shard, calls, config.retentionDays),
      batchItemsMax: config.accept.batchMax,
      waitingItemsMax: config.accept.queueMax,
      bytes: {
        of: (call) => call.body.length,
        batchMax: ACCEPT_BATCH_BYTES_MAX,
        waitingMax: ACCEPT_QUEUE_BYTES_MAX,
      },
      waitMsMax: config.accept.waitMsMax,
      overloaded: () => new AppError('OVERLOADED', undefined, { retryAfterMs: OVERLOADED_RETRY_MS }),
      isItemFault: isDataFault,
      clock,
    }),
    (it) => it.close(),
  );
  const validateInput: ReplayDeps['validateInput'] = (...of) => registry.validateInput(...of);
  const repeats = new RepeatFinder(pool, config.retentionDays);
  const { retentionDays } = config;
  const replay: ReplayDeps = { pool: database.pool, webhooks, validateInput, clock, retentionDays };
  const findRepeat: AcceptCallOptions['findRepeat'] = (key) => repeats.find(key);
  const byHand: RunWorkerDeps = { pool: database.pool, validateInput, limiter, findRepeat, clock, retentionDays };
  const accept = new AcceptCall({
    webhooks,
    limiter,
    rejectedCalls,
    explain: (...of) => explainRejection({ sql: database.pool, keyring }, ...of),
    secretUsage,
    store: (call) => groupCommit.add(call),
    findRepeat,
    bodyBytesMaxOf: (webhook) => bodyBytesMaxOf(config, webhook),
    noteTime: (webhookId, durationMs) => parts.durations.note('TIME_TO_ACCEPT', webhookId, durationMs),
    flow: parts.flow,
    validateInput,
    beginWait: (callId, isStored) => beginWait({ hub, sql: database.pool, clock }, callId, isStored),
    publicUrl,
    releaseLimited: (callId, keyHash) => releaseLimitedCall(database.pool, callId, keyHash),
    noteDeadline: (callId) => {
      noteDeadline(database.pool, callId).catch((error: unknown) =>
        log.warn({ err: error }, 'a deadline was not noted'),
      );
    },
    syncTimeoutMs: config.syncTimeoutMs,
    preferWaitMsMax: config.preferWaitMsMax,
    idempotencyWindowMs: config.idempotencyWindowMs,
    clock,
    log,
  });
  return { accept, replay, byHand, webhooks };
}
