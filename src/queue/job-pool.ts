import { Logger as QueueLogger, runTaskList, type TaskList } from 'graphile-worker';
import type pg from 'pg';
import type { Logger } from '../lib/logger.js';
import { steadyPool } from './steady-pool.js';

export interface JobPoolOptions {
  readonly pool: pg.Pool;
  readonly tasks: TaskList;
  /** Jobs at once. */
  readonly concurrency: number;
  /**
   * Writes the name under which the pool locks jobs to where rescuers look for it; must not reject. Nothing is claimed
   * before it resolves: a job locked under a name that nobody knows waits for the search for orphans.
   */
  readonly writeName: (id: string) => Promise<void>;
  /** Called when a claim may have gone through without an answer: jobs may be locked that nobody runs. */
  readonly onClaimLost: () => void;
  readonly log: Logger;
}

/** One pool of graphile-worker. It may end by itself: `ended` says so. */
export interface JobPool {
  /** The name under which it locks jobs. */
  readonly id: string;
  /** Resolves when the name is written and the first claim may go out; it never rejects. */
  readonly named: Promise<void>;
  /** Resolves when it takes no more jobs and none is running; it never rejects. */
  readonly ended: Promise<void>;
  /** Takes no more jobs, gives back those that it only holds, and lets the running ones end. */
  stop(): void;
  /** Stops waiting for the database. What ran is lost to it; it may never end. */
  readonly abandon: () => void;
}

/**
 * How jobs are fetched and completed, for jobs that take a millisecond as for those that take a minute.
 *
 * `localQueue`: one fetch brings as many jobs as there are slots, while the slots still work; fetched one by one they
 * are 850 a second. More than one round in advance gains nothing and keeps jobs from other processes. There is no
 * `refetchDelay`: it makes a sync call wait for it.
 * `ttl`: jobs that were fetched in advance and wait for a slot longer than this go back, for a process that is free.
 * `pollInterval`: when such a process looks for them; jobs that are new are announced, and due retries are found so.
 * The batch delays of 0 complete in one statement what ended within one turn of the event loop.
 */
const JOB_TTL_MS = 250;
const POLL_INTERVAL_MS = 1_000;
const BATCH_DELAY_MS = 0;

/** Starts a pool of graphile-worker, without signal handlers, cron, migrations and log lines of its own. */
export function startJobPool(options: JobPoolOptions): JobPool {
  const { tasks, concurrency, log } = options;
  const naming = Promise.withResolvers<void>();
  const { pool, abandon } = steadyPool(options.pool, log, naming.promise, options.onClaimLost);
  const workerPool = runTaskList(
    {
      noHandleSignals: true,
      logger: new QueueLogger(() => (level, message) => log.debug({ queue: level }, message)),
      preset: {
        worker: {
          concurrentJobs: concurrency,
          pollInterval: POLL_INTERVAL_MS,
          localQueue: { size: concurrency, ttl: JOB_TTL_MS },
          completeJobBatchDelay: BATCH_DELAY_MS,
          failJobBatchDelay: BATCH_DELAY_MS,
        },
      },
    },
    tasks,
    pool,
  );
  naming.resolve(options.writeName(workerPool.id));
  return {
    id: workerPool.id,
    named: naming.promise,
    ended: workerPool.promise.catch((error: unknown) => log.warn({ err: error }, 'the queue ended with an error')),
    stop: () => void Promise.resolve(workerPool.gracefulShutdown()).catch(() => undefined), // `ended` tells of it
    abandon,
  };
}
