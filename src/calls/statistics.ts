import type { Sql } from '../db/database.js';
import { AppError } from '../errors.js';
import { readCallCounts, readLastCalledAt } from './call-counts.js';
import { CALL_OUTCOMES, type CallOutcome } from './call.entity.js';
import { NO_DURATION_BUCKET } from './duration-buckets.js';
import { TIMED, type Timed } from './duration-recorder.js';
import { Histogram } from './histogram.js';

/** How long a bucket of the statistics can be. */
export const STATISTICS_INTERVALS = ['MINUTE', 'HOUR', 'DAY'] as const;
export type StatisticsInterval = (typeof STATISTICS_INTERVALS)[number];

export interface StatisticsQuery {
  /** Without it, of all webhooks. */
  readonly webhookIds?: readonly string[] | undefined;
  /** Rounded down to the minute. Counters older than a day or two are kept by the hour, later by the day. */
  readonly from: Date;
  /** Not included; rounded up to the minute. */
  readonly to: Date;
  readonly interval: StatisticsInterval;
}

/** Calls of one interval, by when they were received. */
export interface StatisticsBucket {
  /** Start of the minute, hour or day in UTC. The first one may lie before `from`; it counts from `from` on. */
  readonly start: Date;
  readonly total: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly rejected: number;
  readonly p95Ms: number | null;
  /** Counted for when the call was received, as all is; so are the next two. */
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly costNanos: bigint;
}

/** Durations that so many of 100 did not exceed, in milliseconds; `null` without any. At most 19 % too high. */
export interface Percentiles {
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
}

export interface CallStatistics extends Percentiles {
  /** Accepted, repeated, ignored and rejected calls, and handshakes. */
  readonly total: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly rejected: number;
  /** Adds up to the total. ACCEPTED: still in progress. Outcomes that did not occur are left out. */
  readonly byOutcome: readonly { readonly outcome: CallOutcome; readonly count: number }[];
  /** From the moment that a call came to its COMMIT. By when it was accepted; so are executions by when they ended. */
  readonly acceptTimes: Percentiles;
  /** The last attempt of each execution that ended, from its lease to its stored end. */
  readonly executionTimes: Percentiles;
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** What the models' tokens cost, in nano-dollars. */
  readonly costNanos: bigint;
  /** When the newest call came, whatever the time asked for. */
  readonly lastCalledAt: Date | null;
  /** Every interval from `from` to `to`, the empty ones too. */
  readonly buckets: readonly StatisticsBucket[];
}

const INTERVAL_MS: Readonly<Record<StatisticsInterval, number>> = {
  MINUTE: 60_000,
  HOUR: 3_600_000,
  DAY: 86_400_000,
};

/** A day of minutes fits. */
const BUCKETS_MAX = 1_500;

/**
 * Sums shards and minutes in the database; percentiles are read from the buckets here.
 *
 * Measured on 2 cores with 432,000 counters (30 webhooks, a day, 10 outcomes and durations a minute), in PostgreSQL:
 * one webhook, a day of minutes 38 ms; all webhooks, an hour of minutes 9 ms, a day of hours, which is the whole table,
 * 310 ms. The list of outcomes lets the scan skip from outcome to outcome in the primary key.
 */
const READ = `
  select date_bin($1::interval, bucket_start, 'epoch') as start, outcome, duration_bucket as bucket,
    sum(calls)::float8 as calls, sum(prompt_tokens)::float8 as "promptTokens",
    sum(completion_tokens)::float8 as "completionTokens", sum(cost_nanos)::text as "costNanos"
  from call_statistics
  where ($2::uuid[] is null or webhook_id = any($2)) and outcome = any($5) and bucket_start >= $3 and bucket_start < $4
  group by 1, 2, 3`;

const COUNTERS = [...CALL_OUTCOMES, ...TIMED];

interface CounterRow {
  readonly start: Date;
  readonly outcome: CallOutcome | Timed;
  readonly bucket: number;
  readonly calls: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly costNanos: string;
}

/**
 * Reads how calls went in a time.
 *
 * @throws AppError BAD_USER_INPUT when the time is empty or has more than 1,500 intervals.
 */
export async function readStatistics(sql: Sql, query: StatisticsQuery): Promise<CallStatistics> {
  const { webhookIds, from, to, interval } = query;
  const startsMs = intervalStarts(from, to, INTERVAL_MS[interval]);
  const [{ rows }, lastCalledAt] = await Promise.all([
    sql.query<CounterRow>(READ, [`1 ${interval}`, webhookIds ?? null, ...minutes(from, to), COUNTERS]),
    readLastCalledAt(sql, webhookIds),
  ]);
  return summarized(startsMs, rows, lastCalledAt);
}

const READ_BY_WEBHOOK = READ.replace('select ', 'select webhook_id as "webhookId", ').replace('1, 2, 3', '1, 2, 3, 4');

/**
 * Reads how the calls of each of some webhooks went in a time, for a data loader.
 *
 * @returns statistics by webhook id, of each that was asked for.
 * @throws AppError BAD_USER_INPUT as {@link readStatistics}.
 */
export async function readStatisticsByWebhook(
  sql: Sql,
  query: StatisticsQuery & { readonly webhookIds: readonly string[] },
): Promise<Map<string, CallStatistics>> {
  const { webhookIds, from, to, interval } = query;
  const startsMs = intervalStarts(from, to, INTERVAL_MS[interval]);
  const [{ rows }, counts] = await Promise.all([
    sql.query<CounterRow & { webhookId: string }>(READ_BY_WEBHOOK, [
      `1 ${interval}`,
      webhookIds,
      ...minutes(from, to),
      COUNTERS,
    ]),
    readCallCounts(sql, webhookIds),
  ]);
  const byWebhook = Map.groupBy(rows, ({ webhookId }) => webhookId);
  return new Map(
    webhookIds.map((id) => [id, summarized(startsMs, byWebhook.get(id) ?? [], counts.get(id)?.lastCalledAt ?? null)]),
  );
}

function summarized(
  startsMs: readonly number[],
  rows: readonly CounterRow[],
  lastCalledAt: Date | null,
): CallStatistics {
  const whole = new Tally();
  const tallies = new Map(startsMs.map((startMs) => [startMs, new Tally()]));
  const times = { TIME_TO_ACCEPT: new Histogram(), TIME_TO_EXECUTE: new Histogram() };
  for (const row of rows) {
    if (isCounted(row)) {
      whole.add(row);
      tallies.get(row.start.getTime())?.add(row);
    } else times[row.outcome as Timed].add(row.bucket, row.calls);
  }
  return {
    ...whole.counts(),
    byOutcome: whole.byOutcome(),
    ...percentiles(whole.durations),
    acceptTimes: percentiles(times.TIME_TO_ACCEPT),
    executionTimes: percentiles(times.TIME_TO_EXECUTE),
    ...whole.spending(),
    lastCalledAt,
    buckets: Array.from(tallies, ([startMs, tally]) => ({
      start: new Date(startMs),
      ...tally.counts(),
      p95Ms: tally.durations.percentileMs(0.95),
      ...tally.spending(),
    })),
  };
}

/** A counter of calls, not of times. */
type CallsRow = CounterRow & { readonly outcome: CallOutcome };

function isCounted(row: CounterRow): row is CallsRow {
  return !(TIMED as readonly string[]).includes(row.outcome);
}

function percentiles(histogram: Histogram): Percentiles {
  return {
    p50Ms: histogram.percentileMs(0.5),
    p95Ms: histogram.percentileMs(0.95),
    p99Ms: histogram.percentileMs(0.99),
  };
}

function minutes(from: Date, to: Date): [Date, Date] {
  const minuteMs = INTERVAL_MS.MINUTE;
  return [
    new Date(Math.floor(from.getTime() / minuteMs) * minuteMs),
    new Date(Math.ceil(to.getTime() / minuteMs) * minuteMs),
  ];
}

function intervalStarts(from: Date, to: Date, intervalMs: number): number[] {
  const firstMs = Math.floor(from.getTime() / intervalMs) * intervalMs;
  const buckets = Math.ceil((to.getTime() - firstMs) / intervalMs);
  if (!(from < to)) throw new AppError('BAD_USER_INPUT', 'The time must begin before it ends.');
  if (buckets > BUCKETS_MAX) {
    throw new AppError('BAD_USER_INPUT', `This is ${buckets} intervals; ${BUCKETS_MAX} are the most at once.`);
  }
  return Array.from({ length: buckets }, (_, i) => firstMs + i * intervalMs);
}

/**
 * Adds up counters. Every call counts once as accepted, a duplicate, a handshake, ignored or rejected, and an accepted one once
 * more when it ends.
 */
class Tally {
  readonly durations = new Histogram();
  #promptTokens = 0;
  #completionTokens = 0;
  #costNanos = 0n;
  readonly #calls = new Map<CallOutcome, number>();

  add({ outcome, bucket, calls, promptTokens, completionTokens, costNanos }: CallsRow): void {
    this.#calls.set(outcome, this.#of(outcome) + calls);
    this.#promptTokens += promptTokens;
    this.#completionTokens += completionTokens;
    this.#costNanos += BigInt(costNanos);
    if (bucket !== NO_DURATION_BUCKET) this.durations.add(bucket, calls);
  }

  spending(): Pick<StatisticsBucket, 'promptTokens' | 'completionTokens' | 'costNanos'> {
    return {
      promptTokens: this.#promptTokens,
      completionTokens: this.#completionTokens,
      costNanos: this.#costNanos,
    };
  }

  counts(): Pick<StatisticsBucket, 'total' | 'succeeded' | 'failed' | 'rejected'> {
    const [accepted, succeeded, failed] = [this.#of('ACCEPTED'), this.#of('SUCCEEDED'), this.#of('FAILED')];
    const others = this.#of('DUPLICATE') + this.#of('HANDSHAKE') + this.#of('IGNORED');
    let rejected = 0;
    for (const calls of this.#calls.values()) rejected += calls;
    rejected -= accepted + succeeded + failed + this.#of('SUPERSEDED') + others;
    return { total: accepted + rejected + others, succeeded, failed, rejected };
  }

  byOutcome(): CallStatistics['byOutcome'] {
    const ended = this.#of('SUCCEEDED') + this.#of('FAILED') + this.#of('SUPERSEDED');
    const inProgress = this.#of('ACCEPTED') - ended;
    const counts = new Map(this.#calls).set('ACCEPTED', Math.max(0, inProgress));
    return Array.from(counts, ([outcome, count]) => ({ outcome, count })).filter(({ count }) => count > 0);
  }

  #of(outcome: CallOutcome): number {
    return this.#calls.get(outcome) ?? 0;
  }
}
