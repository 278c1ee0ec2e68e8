import type { Sql } from '../db/database.js';
import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import { durationBucket } from './duration-buckets.js';
import { statisticsUpsertSql } from './statistics-sql.js';

/**
 * What is timed besides calls. They stand among the outcomes of the counters but are none: whoever counts calls asks
 * for outcomes by name and does not see them.
 */
export const TIMED = ['TIME_TO_ACCEPT', 'TIME_TO_EXECUTE'] as const;
export type Timed = (typeof TIMED)[number];

export interface DurationRecorderOptions {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly log: Logger;
  /** This process's shard of the counters. */
  readonly shard: number;
}

const FLUSH_AFTER_MS = 1_000;

/** Counters that wait, one a webhook, minute, kind and bucket; while the database is away no more are kept. */
const WAITING_MAX = 50_000;

const MINUTE_MS = 60_000;

interface Count {
  readonly webhookId: string;
  /** Start of the minute, Unix milliseconds. */
  readonly minuteMs: number;
  readonly timed: Timed;
  readonly bucket: number;
  n: number;
}

const STORE = `
  with timed as (
    select webhook_id, to_timestamp(minute_ms / 1000) as bucket_start, $1::smallint as shard, outcome, duration_bucket,
      calls, 0::bigint as prompt_tokens, 0::bigint as completion_tokens
    from unnest($2::uuid[], $3::float8[], $4::text[], $5::smallint[], $6::bigint[])
      as t(webhook_id, minute_ms, outcome, duration_bucket, calls)
  )
  ${statisticsUpsertSql('timed')}`;

/**
 * Counts how long accepts and executions took, in memory, and writes it once a second: the statements of the hot paths
 * carry nothing of it. A kill loses the durations of the last second; how many calls there were is counted elsewhere.
 */
export class DurationRecorder {
  readonly #options: DurationRecorderOptions;
  #counts = new Map<string, Count>();
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> = Promise.resolve();

  constructor(options: DurationRecorderOptions) {
    this.#options = options;
  }

  /** Takes note of a duration in milliseconds. Never throws and never waits. */
  note(timed: Timed, webhookId: string, durationMs: number): void {
    const nowMs = this.#options.clock.nowMs();
    this.#add({ webhookId, minuteMs: nowMs - (nowMs % MINUTE_MS), timed, bucket: durationBucket(durationMs), n: 1 });
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.flush();
    }, FLUSH_AFTER_MS).unref();
  }

  /** Writes what was noted; what cannot be written is kept for the next time. */
  async flush(): Promise<void> {
    this.#flushing = this.#flushing.then(() => this.#write());
    await this.#flushing;
  }

  /** Writes the rest. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.flush();
  }

  #add(count: Count): void {
    const key = `${count.webhookId} ${count.minuteMs} ${count.timed} ${count.bucket}`;
    const known = this.#counts.get(key);
    if (known !== undefined) known.n += count.n;
    else if (this.#counts.size < WAITING_MAX) this.#counts.set(key, count);
  }

  async #write(): Promise<void> {
    const counts = [...this.#counts.values()];
    if (counts.length === 0) return;
    this.#counts = new Map();
    const { sql, shard, log } = this.#options;
    try {
      await sql.query({
        name: 'store-durations',
        text: STORE,
        values: [
          shard,
          counts.map(({ webhookId }) => webhookId),
          counts.map(({ minuteMs }) => minuteMs),
          counts.map(({ timed }) => timed),
          counts.map(({ bucket }) => bucket),
          counts.map(({ n }) => n),
        ],
      });
    } catch (error) {
      for (const count of counts) this.#add(count);
      log.warn({ err: error }, 'durations could not be written; they are kept and tried again');
    }
  }
}
