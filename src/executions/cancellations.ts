import { setMaxListeners } from 'node:events';
import type pg from 'pg';
import { rawTransaction } from '../db/raw-transaction.js';
import { topics } from '../events/event.js';
import type { EventHub } from '../events/event-hub.js';
import type { Logger } from '../lib/logger.js';
import { canceled } from './attempt-ending.js';
import { cancelOne } from './cancel.js';

export interface CancellationsOptions {
  readonly pool: pg.Pool;
  readonly hub: EventHub;
  /** This process's shard of the statistics. */
  readonly shard: number;
  readonly log: Logger;
}

const REQUESTED = `
  select id from executions where id = any($1::uuid[]) and status = 'RUNNING' and cancel_requested_at is not null`;

/**
 * Aborts what this process runs and somebody cancels, in whichever process that is asked for. An event says so at once;
 * a look into the database at every heartbeat makes up for events that were lost.
 */
export class Cancellations {
  readonly #options: CancellationsOptions;
  readonly #running = new Map<string, AbortController>();
  readonly #stop: () => void;

  constructor(options: CancellationsOptions) {
    this.#options = options;
    this.#stop = options.hub.listen([topics.cancellations], (notification) => {
      if (notification.kind === 'cancel-requested') this.#running.get(notification.executionId)?.abort(canceled());
      else this.check().catch((error: unknown) => options.log.warn({ err: error }, 'cancellations were not read'));
    });
  }

  /**
   * Runs an attempt under a signal that aborts when its execution is canceled, with an AppError CANCELED for its
   * reason, and when the runner's own signal does.
   */
  async during<T>(
    executionId: string,
    runnerSignal: AbortSignal,
    run: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const controller = new AbortController();
    setMaxListeners(0, controller.signal);
    const onRunnerAbort = (): void => controller.abort(runnerSignal.reason);
    if (runnerSignal.aborted) onRunnerAbort();
    runnerSignal.addEventListener('abort', onRunnerAbort);
    this.#running.set(executionId, controller);
    try {
      return await run(controller.signal);
    } finally {
      this.#running.delete(executionId);
      runnerSignal.removeEventListener('abort', onRunnerAbort);
    }
  }

  /** Aborts what was canceled without an event being heard. */
  async check(): Promise<void> {
    const ids = [...this.#running.keys()];
    if (ids.length === 0) return;
    const { rows } = await this.#options.pool.query<{ id: string }>(REQUESTED, [ids]);
    for (const { id } of rows) this.#running.get(id)?.abort(canceled());
  }

  /**
   * Cancels an execution that went back to waiting although that was asked for: whoever asked saw it running, and the
   * attempt was over before it could be aborted. When this fails, the next attempt finds the request.
   */
  async cancelIfRequested(executionId: string): Promise<void> {
    const { pool, shard, log } = this.#options;
    try {
      const { rows } = await pool.query('select 1 from executions where id = $1 and cancel_requested_at is not null', [
        executionId,
      ]);
      if (rows.length > 0) await rawTransaction(pool, ({ sql }) => cancelOne(sql, shard, executionId));
    } catch (error) {
      log.warn({ err: error, executionId }, 'an execution could not be canceled yet');
    }
  }

  close(): void {
    this.#stop();
  }
}
