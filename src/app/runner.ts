import { openBatchPool } from '../db/batch-pool.js';
import { Cancellations } from '../executions/cancellations.js';
import { createExecuteHandler } from '../executions/execute.js';
import { LeaseDesk } from '../executions/lease-desk.js';
import { wakeIfDecided } from '../executions/wake-decided.js';
import { RUN_EXECUTION } from '../queue/enqueue.js';
import { type QueueRunner, startQueueRunner } from '../queue/runner.js';
import { answerWaitMs } from '../webhooks/answer-wait.js';
import type { Parts } from './parts.js';

/** Lease, finish, heartbeat and rescue, and four for the queue: listening, claiming, completing, failing. */
const RUNNER_CONNECTIONS = 8;

/** Starts to run executions. */
export async function buildRunner(stack: AsyncDisposableStack, parts: Parts): Promise<QueueRunner> {
  const { config, log, clock, database, hub, registry, spendCaps, shard, flow, durations } = parts;
  const pool = openBatchPool(database.url, { connectionsMax: RUNNER_CONNECTIONS, joins: 'key', log });
  stack.defer(() => pool.end());
  const leases = stack.adopt(
    new LeaseDesk({ pool, shard, clock, log, onFreed: (webhookIds) => flow.release(webhookIds) }),
    (desk) => desk.close(),
  );
  const cancellations = stack.adopt(new Cancellations({ pool, hub, shard, log }), (it) => it.close());
  const runner = await startQueueRunner({
    pool,
    tasks: {
      [RUN_EXECUTION]: createExecuteHandler({
        workers: registry,
        leases,
        cancellations,
        admitRun: (execution) => spendCaps.admitRun(execution),
        modelWaitMsMax: config.modelWaitMsMax,
        answerWaitMs: (callId) => answerWaitMs(database.pool, callId, config),
        wakeIfDecided: (executionId, attemptMs) =>
          wakeIfDecided(pool, executionId, attemptMs).catch((error: unknown) =>
            log.warn({ err: error, executionId }, 'a decision is heard of when the queue asks again'),
          ),
        noteTime: (webhookId, durationMs) => durations.note('TIME_TO_EXECUTE', webhookId, durationMs),
        clock,
        log,
      }),
    },
    onBeat: () => cancellations.check(),
    concurrency: config.runnerConcurrency,
    clock,
    log,
  });
  stack.defer(() => runner.stop(config.shutdownTimeoutMs));
  return runner;
}
