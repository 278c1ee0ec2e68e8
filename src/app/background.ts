import { RUN_BULK_OPERATION } from '../bulk/bulk-job.js';
import { createBulkHandler } from '../bulk/run-bulk.js';
import { createSendCallbackHandler, SEND_CALLBACK } from '../callbacks/send-callback.js';
import { openBatchPool } from '../db/batch-pool.js';
import type { ReplayDeps } from '../webhooks/replay/replay-call.js';
import { type QueueRunner, startQueueRunner } from '../queue/runner.js';
import type { Parts } from './parts.js';

/** Listening, claiming, completing, and the handlers' own statements. */
const CONNECTIONS = 6;

/** Jobs at once. They mostly wait for receivers that answer slowly or not at all. */
const CONCURRENCY = 20;

/**
 * Starts to do what follows from executions, and what operators do to many. It has slots of its own: a receiver that does not answer holds one for
 * 15 s, and must never hold one that an execution waits for.
 */
export async function buildBackground(
  stack: AsyncDisposableStack,
  parts: Parts,
  replay: ReplayDeps,
): Promise<QueueRunner> {
  const { config, log, clock, database, keyring, outbound } = parts;
  const pool = openBatchPool(database.url, { connectionsMax: CONNECTIONS, joins: 'key', log });
  stack.defer(() => pool.end());
  const runner = await startQueueRunner({
    pool,
    tasks: {
      [SEND_CALLBACK]: createSendCallbackHandler({ sql: pool, outbound, keyring, clock, log }),
      [RUN_BULK_OPERATION]: createBulkHandler({ ...replay, log }),
    },
    concurrency: CONCURRENCY,
    clock,
    log,
  });
  stack.defer(() => runner.stop(config.shutdownTimeoutMs));
  return runner;
}
