import type pg from 'pg';
import { isDataFault } from '../db/data-fault.js';
import { AppError } from '../errors.js';
import { backoffMs } from '../lib/backoff.js';
import type { Clock } from '../lib/clock.js';
import { GroupCommit } from '../lib/group-commit.js';
import { newRandomUuid } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import { RunnerLost } from '../queue/job-context.js';
import { type Finish, type FinishResult, finishExecutions } from './finish.js';
import { type LeaseRequest, type LeaseResult, takeLeases } from './lease.js';
import { type EarlierProgress, loadProgress } from './load-progress.js';
import { type ProgressResult, type ProgressWrite, writeProgress } from './write-progress.js';

export interface LeaseDeskOptions {
  readonly pool: pg.Pool;
  /** This process's shard of the statistics. */
  readonly shard: number;
  /** Told in which webhooks a call under flow control has ended. Does not wait. */
  readonly onFreed?: (webhookIds: readonly string[]) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** More than a process runs at once, so that a batch is as large as what waits. */
const BATCH_ITEMS_MAX = 256;

const RETRY = { baseMs: 50, maxMs: 2_000 };

/** How long an end may still be tried to be written after the runner was told to stop. */
const LAST_TRIES_MS = 3_000;

/** Where a process's executions take their leases, write what they come to and their ends, many in one transaction. */
export class LeaseDesk {
  readonly #options: LeaseDeskOptions;
  readonly #leases: GroupCommit<LeaseRequest, LeaseResult>;
  readonly #progress: GroupCommit<ProgressWrite, ProgressResult>;
  readonly #finishes: GroupCommit<Finish, FinishResult>;

  constructor(options: LeaseDeskOptions) {
    const { pool, shard, clock, onFreed } = options;
    this.#options = options;
    const shared = {
      batchItemsMax: BATCH_ITEMS_MAX,
      waitingItemsMax: Infinity, // the queue hands out no more jobs than there are slots
      waitMsMax: Infinity,
      overloaded: () => new AppError('OVERLOADED', 'The runner is closed.'),
      isItemFault: isDataFault,
      clock,
    };
    this.#leases = new GroupCommit({ ...shared, commit: (batch) => takeLeases(pool, batch) });
    this.#progress = new GroupCommit({ ...shared, commit: (batch) => writeProgress(pool, batch) });
    this.#finishes = new GroupCommit({ ...shared, commit: (batch) => finishExecutions(pool, shard, batch, onFreed) });
  }

  /**
   * Takes a lease. While the database is away it keeps trying, under the same token, until the signal aborts: given
   * back to the queue, the job would wait for the queue's backoff and count as failed.
   */
  take(request: Omit<LeaseRequest, 'token'>, signal: AbortSignal): Promise<LeaseResult> {
    const withToken = { ...request, token: newRandomUuid() };
    return this.#persist(() => this.#leases.add(withToken), request.executionId, 0, signal);
  }

  /** Reads what earlier attempts left, as persistently as {@link take}. */
  load(executionId: string, signal: AbortSignal): Promise<EarlierProgress> {
    return this.#persist(() => loadProgress(this.#options.pool, executionId), executionId, 0, signal);
  }

  /**
   * Writes what an attempt came to, as persistently as its end. What is written twice, because an answer was lost,
   * says the same twice.
   */
  write(write: ProgressWrite, signal: AbortSignal): Promise<ProgressResult> {
    return this.#persist(() => this.#progress.add(write), write.lease.executionId, LAST_TRIES_MS, signal);
  }

  /**
   * Writes an end. While the database is away it keeps trying, for finished work must not be lost while the process
   * lives; it gives up when the lease is lost, and a moment after the runner was told to stop.
   *
   * A commit whose outcome was not heard is tried again too: had it gone through, the second one is refused.
   *
   * @throws what PostgreSQL said when the result is not JSON (SQLSTATE class 22), or when it was given up.
   */
  finish(finish: Finish, signal: AbortSignal): Promise<FinishResult> {
    return this.#persist(() => this.#finishes.add(finish), finish.lease.executionId, LAST_TRIES_MS, signal);
  }

  async close(): Promise<void> {
    await Promise.all([this.#leases.close(), this.#progress.close(), this.#finishes.close()]);
  }

  /** @param lastTriesMs how long it may go on after the signal aborted, unless the runner is lost. */
  async #persist<T>(
    write: () => Promise<T>,
    executionId: string,
    lastTriesMs: number,
    signal: AbortSignal,
  ): Promise<T> {
    const { clock, log } = this.#options;
    let untilMs = Infinity;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await write();
      } catch (error) {
        if (signal.aborted && untilMs === Infinity) untilMs = clock.monotonicMs() + lastTriesMs;
        const lost = signal.reason instanceof RunnerLost;
        if (isDataFault(error) || lost || clock.monotonicMs() >= untilMs) throw error;
        log.warn({ err: error, executionId }, 'a lease or an end could not be written yet');
        await pause(backoffMs(attempt, RETRY), signal);
      }
    }
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
