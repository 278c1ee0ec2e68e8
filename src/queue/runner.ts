import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { TaskList } from 'graphile-worker';
import type pg from 'pg';
import { backoffMs } from '../lib/backoff.js';
import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import { Heartbeat } from './heartbeat.js';
import { type JobHandler, RunnerLost, RunnerStopping } from './job-context.js';
import { type JobPool, startJobPool } from './job-pool.js';
import { RunnerRegistration } from './registration.js';
import { rescueDeadNeighbours, unlockForgotten } from './rescue.js';

export interface QueueRunnerOptions {
  /** Connections for the runner alone, see `openBatchPool`. They stay the caller's to close. */
  readonly pool: pg.Pool;
  /** A handler for each task. */
  readonly tasks: Readonly<Record<string, JobHandler>>;
  /** Jobs at once in this process. */
  readonly concurrency: number;
  /** Called after every heartbeat; when it rejects, that is logged. */
  readonly onBeat?: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface QueueRunner {
  /** The present id of its row in `runners`, a UUID; a new one after it was declared dead. */
  readonly runnerId: string;
  /**
   * Takes no more jobs and lets the running ones end. After `deadlineMs` the rest are aborted to give themselves back,
   * which takes a moment. Always resolves, within {@link GIVE_BACK_MS_MAX} and a few seconds of the deadline, also when the
   * database is away: what could not be given back is rescued by others.
   */
  stop(deadlineMs: number): Promise<void>;
}

/** Jobs whose claim was lost are looked for this long after it: then every other lock of the queue is of a running job. */
const FORGOTTEN_AFTER_MS = 12_000;

/** How long aborted jobs may take to give themselves back. */
const GIVE_BACK_MS_MAX = 5_000;

/** How long the last statement, which removes the runner, may take. */
const REMOVE_MS_MAX = 2_000;

const RESTART = { baseMs: 200, maxMs: 5_000 };

/** Registers this process as a runner and starts to take jobs. Rejects when the database can't be reached. */
export async function startQueueRunner(options: QueueRunnerOptions): Promise<QueueRunner> {
  const supervisor = new Supervisor(options);
  await supervisor.start();
  return supervisor;
}

/**
 * Keeps a pool of graphile-worker running.
 *
 * States: RUNNING → the pool ended by itself → RESTARTING, with backoff → RUNNING … → stop → DRAINING → deadline →
 * ABORTING → STOPPED.
 */
class Supervisor implements QueueRunner {
  readonly #options: QueueRunnerOptions;
  readonly #registration: RunnerRegistration;
  readonly #heartbeat: Heartbeat;
  readonly #stopping = new AbortController();
  /** Replaced when the runner is declared dead: what ran till then is aborted, what comes after is not. */
  #jobs = newJobsController();
  #jobPool: JobPool | undefined;
  /** Ids of the queue's jobs that run. */
  readonly #running = new Set<string>();
  /** When a claim may have been lost, on the monotonic clock; jobs it locked are looked for a while later. */
  #claimLostMs: number | undefined;
  #supervising: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: QueueRunnerOptions) {
    const { pool, clock, log } = options;
    this.#options = options;
    this.#registration = new RunnerRegistration(pool);
    this.#heartbeat = new Heartbeat({
      sql: pool,
      registration: this.#registration,
      onLost: () => {
        this.#jobs.abort(new RunnerLost());
        this.#jobs = newJobsController();
      },
      onBeat: async () => {
        await this.#freeForgotten();
        await options.onBeat?.();
      },
      clock,
      log,
    });
  }

  get runnerId(): string {
    return this.#registration.id;
  }

  async start(): Promise<void> {
    const { pool, log } = this.#options;
    const dead = await rescueDeadNeighbours(pool);
    if (dead.length > 0) log.info({ runnerIds: dead }, 'runners of this machine are gone; their work runs again');
    await this.#registration.register();
    const jobPool = await this.#startJobPool();
    this.#heartbeat.start();
    this.#supervising = this.#supervise(jobPool);
  }

  stop(deadlineMs: number): Promise<void> {
    this.#stopped ??= this.#stop(deadlineMs);
    return this.#stopped;
  }

  async #startJobPool(): Promise<JobPool> {
    const { pool, concurrency, clock, log } = this.#options;
    const tasks: TaskList = {};
    for (const [name, handler] of Object.entries(this.#options.tasks)) {
      tasks[name] = async (payload, { job }) => {
        this.#running.add(job.id);
        try {
          await handler(payload, { runnerId: this.runnerId, signal: this.#jobs.signal });
        } finally {
          this.#running.delete(job.id);
        }
      };
    }
    const onClaimLost = (): void => void (this.#claimLostMs = clock.monotonicMs());
    const writeName = (id: string): Promise<void> =>
      this.#registration.addQueueWorker(id).catch((error: unknown) => {
        log.warn({ err: error }, 'the runner could not write the name of its queue yet'); // the heartbeat will
      });
    const jobPool = startJobPool({ pool, tasks, concurrency, writeName, onClaimLost, log });
    this.#jobPool = jobPool;
    await jobPool.named;
    return jobPool;
  }

  async #freeForgotten(): Promise<void> {
    const { pool, clock, log } = this.#options;
    if (this.#jobPool === undefined || this.#claimLostMs === undefined) return;
    const lostMs = this.#claimLostMs;
    if (clock.monotonicMs() - lostMs < FORGOTTEN_AFTER_MS) return;
    const freed = await unlockForgotten(pool, this.#jobPool.id, [...this.#running]);
    if (freed > 0) log.warn({ jobs: freed }, 'jobs were claimed without an answer; they are free again');
    if (this.#claimLostMs === lostMs) this.#claimLostMs = undefined;
  }

  async #supervise(first: JobPool): Promise<void> {
    let ended = first;
    for (;;) {
      await ended.ended;
      if (this.#stopping.signal.aborted) return;
      this.#options.log.warn('the queue stopped by itself; it is started again');
      const next = await this.#restart(ended);
      if (next === undefined) return;
      ended = next;
    }
  }

  async #restart(ended: JobPool): Promise<JobPool | undefined> {
    for (let attempt = 1; !this.#stopping.signal.aborted; attempt += 1) {
      try {
        await this.#registration.removeQueueWorker(ended.id);
        const jobPool = await this.#startJobPool();
        if (this.#stopping.signal.aborted) jobPool.stop();
        return jobPool;
      } catch (error) {
        this.#options.log.warn({ err: error }, 'the queue could not be started again');
        await delay(backoffMs(attempt, RESTART), undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      }
    }
    return undefined;
  }

  async #stop(deadlineMs: number): Promise<void> {
    this.#stopping.abort();
    this.#jobPool?.stop();
    const supervising = this.#supervising ?? Promise.resolve();
    if (!(await settlesWithin(supervising, deadlineMs))) {
      this.#jobs.abort(new RunnerStopping());
      await settlesWithin(supervising, GIVE_BACK_MS_MAX);
    }
    this.#jobPool?.abandon();
    await settlesWithin(this.#heartbeat.stop(), REMOVE_MS_MAX);
    const removed = this.#registration.remove().catch((error: unknown) => {
      this.#options.log.warn({ err: error }, 'the runner could not be removed; others will');
    });
    await settlesWithin(removed, REMOVE_MS_MAX);
  }
}

function newJobsController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal); // one for each running job
  return controller;
}

/** Whether a promise that never rejects settles in time. */
async function settlesWithin(promise: Promise<void>, timeoutMs: number): Promise<boolean> {
  const timeout = new AbortController();
  try {
    return await Promise.race([
      promise.then(() => true),
      delay(timeoutMs, false, { signal: timeout.signal }).catch(() => false),
    ]);
  } finally {
    timeout.abort();
  }
}
