import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import type { Sql } from './database.js';

/** What records a use: the connection, the time, and where a failure is told. */
export interface UsageRecorderOptions {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Which rows have a `last_used_at`, and how exactly it is known. */
export interface UsedRows {
  readonly table: 'api_tokens' | 'webhook_secrets';
  /** Between two statements, in milliseconds. */
  readonly flushMs: number;
}

/**
 * Remembers which rows were used and writes it down now and then, one statement for all: a request that uses one
 * never waits for it.
 */
export class UsageRecorder {
  readonly #options: UsageRecorderOptions;
  readonly #table: UsedRows['table'];
  readonly #lastUsedMs = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: UsageRecorderOptions, { table, flushMs }: UsedRows) {
    this.#options = options;
    this.#table = table;
    this.#timer = setInterval(() => void this.flush(), flushMs).unref();
  }

  /** @param id the used row's UUID. */
  note(id: string): void {
    this.#lastUsedMs.set(id, this.#options.clock.nowMs());
  }

  /** Writes what was noted; a failure is logged and the notes are kept for the next time. */
  async flush(): Promise<void> {
    const used = [...this.#lastUsedMs];
    if (used.length === 0) return;
    this.#lastUsedMs.clear();
    try {
      await this.#options.sql.query(
        // Locked in one order: two processes that used the same rows would wait for one another in a circle.
        `with used as (
           select t.id, u.ms from ${this.#table} t join unnest($1::uuid[], $2::float8[]) as u(id, ms) on u.id = t.id
           order by t.id for no key update of t
         )
         update ${this.#table} t set last_used_at = greatest(t.last_used_at, to_timestamp(used.ms / 1000))
         from used where t.id = used.id`,
        [used.map(([id]) => id), used.map(([, ms]) => ms)],
      );
    } catch (error) {
      for (const [id, ms] of used) if (!this.#lastUsedMs.has(id)) this.#lastUsedMs.set(id, ms);
      this.#options.log.warn({ err: error, table: this.#table }, 'last uses could not be written');
    }
  }

  /** Stops the timer and writes the rest. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }
}
