import type { Sql } from '../db/database.js';
import type { EventHub } from '../events/event-hub.js';
import { topics } from '../events/event.js';
import { backoffMs } from '../lib/backoff.js';
import type { Logger } from '../lib/logger.js';
import { defaultPerMinute, type LimitDefaults, type LimitScope } from './limit-scope.js';

export interface RateLimitPoliciesOptions {
  readonly sql: Sql;
  readonly hub: EventHub;
  readonly defaults: LimitDefaults;
  readonly log: Logger;
}

const RELOAD_BACKOFF = { baseMs: 500, maxMs: 10_000 };

/**
 * The numbers of the rate limits, held in memory: read at the start and again whenever they changed or may have.
 * While they cannot be read, the ones that were read before stay in force; before the first reading, the defaults.
 */
export class RateLimitPolicies {
  readonly #options: RateLimitPoliciesOptions;
  readonly #stopListening: () => void;
  #perMinute: ReadonlyMap<string, number> = new Map();
  #loading: Promise<void> | undefined;
  #again = false;
  #settled = false;
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  /** Resolves when the numbers were read, or could not be at the first try. Never rejects. */
  readonly ready: Promise<void>;

  constructor(options: RateLimitPoliciesOptions) {
    this.#options = options;
    this.#stopListening = options.hub.listen([topics.rateLimits], () => void this.reload());
    this.ready = this.reload().then(() => {
      this.#settled = true;
    });
  }

  /** Whether {@link ready} has resolved. */
  get isReady(): boolean {
    return this.#settled;
  }

  /**
   * Calls a minute for a subject; 0 is no limit.
   *
   * @param subjectId the UUID of the user or the webhook, `undefined` for GLOBAL.
   */
  perMinute(scope: LimitScope, subjectId?: string): number {
    const ofSubject = subjectId === undefined ? undefined : this.#perMinute.get(keyOf(scope, subjectId));
    return ofSubject ?? this.#perMinute.get(keyOf(scope, null)) ?? defaultPerMinute(this.#options.defaults, scope);
  }

  /** Reads the numbers again. What changes during a reading is read once more. Never rejects. */
  reload(): Promise<void> {
    this.#again = true;
    return (this.#loading ??= this.#load());
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stopListening();
    clearTimeout(this.#retry);
    await this.#loading;
  }

  async #load(): Promise<void> {
    const { sql, log } = this.#options;
    clearTimeout(this.#retry);
    try {
      while (this.#again && !this.#closed) {
        this.#again = false;
        this.#perMinute = await readNumbers(sql);
        this.#failures = 0;
      }
    } catch (error) {
      this.#failures += 1;
      log.warn({ err: error }, 'the rate limits could not be read; the ones in force stay');
      this.#retryLater();
    } finally {
      this.#loading = undefined; // in the same turn as the last look at #again, so that no change falls between
    }
  }

  #retryLater(): void {
    if (this.#closed) return;
    this.#retry = setTimeout(() => void this.reload(), backoffMs(this.#failures, RELOAD_BACKOFF));
    this.#retry.unref();
  }
}

interface PolicyRow {
  readonly scope: LimitScope;
  readonly subjectId: string | null;
  readonly perMinute: number;
}

async function readNumbers(sql: Sql): Promise<ReadonlyMap<string, number>> {
  const { rows } = await sql.query<PolicyRow>(
    'select scope, subject_id as "subjectId", per_minute as "perMinute" from rate_limit_policies',
  );
  return new Map(rows.map((row) => [keyOf(row.scope, row.subjectId), row.perMinute]));
}

function keyOf(scope: LimitScope, subjectId: string | null): string {
  return `${scope}:${subjectId ?? ''}`;
}
