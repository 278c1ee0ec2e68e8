import type { Sql } from '../db/database.js';
import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';

/** A token's last use is known to the minute. */
const FLUSH_MS = 60_000;

export interface CredentialUsageOptions {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Remembers which API tokens were used and writes it down once a minute, one statement for all. */
export class CredentialUsage {
  readonly #options: CredentialUsageOptions;
  readonly #lastUsedMs = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: CredentialUsageOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.flush(), FLUSH_MS).unref();
  }

  /** @param tokenId the ApiToken's UUID. */
  note(tokenId: string): void {
    this.#lastUsedMs.set(tokenId, this.#options.clock.nowMs());
  }

  /** Writes what was noted; a failure is logged and costs no request anything. */
  async flush(): Promise<void> {
    const used = [...this.#lastUsedMs];
    if (used.length === 0) return;
    this.#lastUsedMs.clear();
    try {
      await this.#options.sql.query(
        `update api_tokens t set last_used_at = greatest(t.last_used_at, to_timestamp(u.ms / 1000))
         from unnest($1::uuid[], $2::float8[]) as u(id, ms) where t.id = u.id`,
        [used.map(([id]) => id), used.map(([, ms]) => ms)],
      );
    } catch (error) {
      this.#options.log.warn({ err: error }, 'the last use of API tokens could not be written');
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }
}
