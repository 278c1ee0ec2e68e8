import type { Sql } from '../db/database.js';
import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';

/** Often enough to tell whether a retiring secret is still used, seldom enough to cost nothing. */
const FLUSH_MS = 10_000;

export interface SecretUsageOptions {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Remembers which secrets authenticated calls and writes it down every {@link FLUSH_MS}, one statement for all. */
export class SecretUsage {
  readonly #options: SecretUsageOptions;
  readonly #lastUsedMs = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: SecretUsageOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.flush(), FLUSH_MS).unref();
  }

  /** @param secretId the SecretVersion that matched. */
  note(secretId: string): void {
    this.#lastUsedMs.set(secretId, this.#options.clock.nowMs());
  }

  /** Writes what was noted; a failure is logged and the notes are kept for the next time. */
  async flush(): Promise<void> {
    const used = [...this.#lastUsedMs];
    if (used.length === 0) return;
    this.#lastUsedMs.clear();
    try {
      await this.#options.sql.query(
        `update webhook_secrets s set last_used_at = greatest(s.last_used_at, to_timestamp(u.ms / 1000))
         from unnest($1::uuid[], $2::float8[]) as u(id, ms) where s.id = u.id`,
        [used.map(([id]) => id), used.map(([, ms]) => ms)],
      );
    } catch (error) {
      for (const [id, ms] of used) if (!this.#lastUsedMs.has(id)) this.#lastUsedMs.set(id, ms);
      this.#options.log.warn({ err: error }, 'the last use of secrets could not be written');
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }
}
