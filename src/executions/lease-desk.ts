import type pg from 'pg';
import { AppError } from '../errors.js';
import { backoffMs } from '../lib/backoff.js';
import type { Clock } from '../lib/clock.js';
import { GroupCommit } from '../lib/group-commit.js';
import type { Logger } from '../lib/logger.js';
import { RunnerLost } from '../queue/job-context.js';
import { type Finish, type FinishResult, finishExecutions } from './finish.js';
import { isItemFault, type LeaseRequest, type LeaseResult, takeLeases } from './lease.js';

export interface LeaseDeskOptions {
  readonly pool: pg.Pool;
  /** This process's shard of the statistics. */
  readonly shard: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** More than a process runs at once, so that a batch is as large as what waits. */
const BATCH_ITEMS_MAX = 256;

const RETRY = { baseMs: 50, maxMs: 2_000 };

/** How long an end may still be tried to be written after the runner was told to stop. */
const LAST_TRIES_MS = 3_000;

/** Where a process's executions take their leases and write their ends, many in one transaction. */
export class LeaseDesk {
  readonly #options: LeaseDeskOptions;
  readonly #leases: GroupCommit<LeaseRequest, LeaseResult>;
  readonly #finishes: GroupCommit<Finish, FinishResult>;

  constructor(options: LeaseDeskOptions) {
    const { pool, shard, clock } = options;
    this.#options = options;
    const shared = {
      batchItemsMax: BATCH_ITEMS_MAX,
      waitingItemsMax: Infinity, // the queue hands out no more jobs than there are slots
      waitMsMax: Infinity,
      overloaded: () => new AppError('OVERLOADED', 'The runner is closed.'),
      isItemFault,
      clock,
    };
    this.#leases = new GroupCommit({ ...shared, commit: (batch) => takeLeases(pool, batch) });
    this.#finishes = new GroupCommit({ ...shared, commit: (batch) => finishExecutions(pool, shard, batch) });
  }

  take(request: LeaseRequest): Promise<LeaseResult> {
    return this.#leases.add(request);
  }

  /**
   * Writes an end. While the database is away it keeps trying, for finished work must not be lost while the process
   * lives; it gives up when the lease is lost, and a moment after the runner was told to stop.
   *
   * A commit whose outcome was not heard is tried again too: had it gone through, the second one is refused.
   *
   * @throws what PostgreSQL said when the result is not JSON (SQLSTATE class 22), or when it was given up.
   */
  async finish(finish: Finish, signal: AbortSignal): Promise<FinishResult> {
    const { clock, log } = this.#options;
    let lastTryMs = Infinity;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#finishes.add(finish);
      } catch (error) {
        if (signal.aborted && lastTryMs === Infinity) lastTryMs = clock.monotonicMs() + LAST_TRIES_MS;
        const lost = signal.reason instanceof RunnerLost;
        if (isItemFault(error) || lost || clock.monotonicMs() >= lastTryMs) throw error;
        log.warn({ err: error, executionId: finish.lease.executionId }, 'an end could not be written yet');
        await pause(backoffMs(attempt, RETRY), signal);
      }
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#leases.close(), this.#finishes.close()]);
  }
}

/** Ends early when the signal aborts, once. */
async function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, durationMs);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
  });
}
