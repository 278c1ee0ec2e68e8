import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { readCallCounts } from '../../../src/calls/call-counts.js';
import type { CallOutcome } from '../../../src/calls/call.entity.js';
import { compactStatistics } from '../../../src/calls/compact-statistics.js';
import { durationBucket, NO_DURATION_BUCKET } from '../../../src/calls/duration-buckets.js';
import { type CallStatistics, readStatistics } from '../../../src/calls/statistics.js';
import { statisticsUpsertSql } from '../../../src/calls/statistics-sql.js';
import { newRandomUuid, newUuidV7 } from '../../../src/lib/ids.js';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.js';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const NOON_MS = new Date().setUTCHours(12, 0, 0, 0) - DAY_MS;

interface Counted {
  readonly webhookId: string;
  readonly atMs?: number;
  readonly outcome: CallOutcome;
  readonly durationMs?: number;
  readonly calls?: number;
  readonly tokens?: number;
  readonly shard?: number;
}

describe('statistics', () => {
  let test: TestDatabase;
  let pool: pg.Pool;

  beforeAll(async () => {
    test = await createTestDatabase();
    pool = new pg.Pool({ connectionString: test.url, max: 4 });
  });

  afterEach(async () => {
    await pool.query('truncate calls, call_statistics');
  });

  afterAll(async () => {
    await pool.end();
    await test.drop();
  });

  const SOURCE = `(select $1::uuid as webhook_id, $2::timestamptz as bucket_start, $3::smallint as shard, $4 as outcome,
    $5::smallint as duration_bucket, $6::bigint as calls, $7::bigint as prompt_tokens, $7::bigint as completion_tokens) x`;

  const count = async ({
    webhookId,
    atMs = NOON_MS,
    outcome,
    durationMs,
    calls = 1,
    tokens = 0,
    shard = 1,
  }: Counted): Promise<void> => {
    const bucket = durationMs === undefined ? NO_DURATION_BUCKET : durationBucket(durationMs);
    const values = [webhookId, new Date(atMs), shard, outcome, bucket, calls, tokens];
    await pool.query(statisticsUpsertSql(SOURCE), values);
  };

  const addCall = async (webhookId: string, receivedAtMs: number): Promise<void> => {
    await pool.query(
      `insert into calls (id, webhook_id, received_at, execution_mode, dispatch, outcome, is_test, request_headers,
         request_body, pending) values ($1, $2, $3, 'ASYNC', 'PARALLEL', 'ACCEPTED', false, '{}', '', 1)`,
      [newUuidV7(receivedAtMs), webhookId, new Date(receivedAtMs)],
    );
  };

  const readDay = (webhookIds?: readonly string[]): Promise<CallStatistics> =>
    readStatistics(pool, { webhookIds, from: new Date(NOON_MS), to: new Date(NOON_MS + DAY_MS), interval: 'HOUR' });

  it('counts every call once: accepted or rejected, and how the accepted ones ended', async () => {
    const webhookId = newRandomUuid();
    await count({ webhookId, outcome: 'ACCEPTED', calls: 10 });
    await count({ webhookId, outcome: 'SUCCEEDED', calls: 6, durationMs: 100 });
    await count({ webhookId, outcome: 'FAILED', calls: 1, durationMs: 5_000 });
    await count({ webhookId, outcome: 'RATE_LIMITED', calls: 3 });
    await count({ webhookId, outcome: 'REJECTED_AUTHENTICATION', calls: 2 });
    const statistics = await readDay([webhookId]);
    expect(statistics).toMatchObject({ total: 15, succeeded: 6, failed: 1, rejected: 5 });
    expect(Object.fromEntries(statistics.byOutcome.map(({ outcome, count: calls }) => [outcome, calls]))).toEqual({
      ACCEPTED: 3,
      SUCCEEDED: 6,
      FAILED: 1,
      RATE_LIMITED: 3,
      REJECTED_AUTHENTICATION: 2,
    });
  });

  it('adds up shards, and raises a counter that is there', async () => {
    const webhookId = newRandomUuid();
    for (const shard of [0, 7, 15, 7]) await count({ webhookId, outcome: 'ACCEPTED', calls: 2, shard });
    expect(await readDay([webhookId])).toMatchObject({ total: 8 });
    const { rowCount } = await pool.query('select 1 from call_statistics');
    expect(rowCount).toBe(3);
  });

  it('reads percentiles from the durations of calls that ended', async () => {
    const webhookId = newRandomUuid();
    await count({ webhookId, outcome: 'SUCCEEDED', durationMs: 10, calls: 90 });
    await count({ webhookId, outcome: 'FAILED', durationMs: 1_000, calls: 9 });
    await count({ webhookId, outcome: 'SUCCEEDED', durationMs: 60_000, calls: 1 });
    await count({ webhookId, outcome: 'RATE_LIMITED', calls: 1_000 });
    const { p50Ms, p95Ms, p99Ms } = await readDay([webhookId]);
    for (const [read, exactMs] of [
      [p50Ms, 10],
      [p95Ms, 1_000],
      [p99Ms, 1_000],
    ] as const) {
      expect(read).toBeGreaterThanOrEqual(exactMs);
      expect(read).toBeLessThan(exactMs * 1.2);
    }
    expect(await readDay([newRandomUuid()])).toMatchObject({ total: 0, p50Ms: null, p95Ms: null, p99Ms: null });
  });

  it('adds up tokens', async () => {
    const webhookId = newRandomUuid();
    await count({ webhookId, outcome: 'SUCCEEDED', durationMs: 1, tokens: 3_000_000_000 });
    await count({ webhookId, outcome: 'SUCCEEDED', calls: 0, tokens: 5 });
    expect(await readDay([webhookId])).toMatchObject({ promptTokens: 3_000_000_005, completionTokens: 3_000_000_005 });
  });

  it('gives every interval, the empty ones too, and nothing from outside the time', async () => {
    const webhookId = newRandomUuid();
    for (const minute of [-1, 0, 2, 4, 5]) {
      await count({ webhookId, atMs: NOON_MS + minute * MINUTE_MS, outcome: 'ACCEPTED', calls: 1 });
    }
    await count({ webhookId, atMs: NOON_MS + 2 * MINUTE_MS, outcome: 'SUCCEEDED', durationMs: 20 });
    const [from, to] = [new Date(NOON_MS + 1), new Date(NOON_MS + 4 * MINUTE_MS + 1)];
    const { buckets, total } = await readStatistics(pool, { webhookIds: [webhookId], from, to, interval: 'MINUTE' });
    expect(buckets.map((bucket) => [(bucket.start.getTime() - NOON_MS) / MINUTE_MS, bucket.total])).toEqual([
      [0, 1],
      [1, 0],
      [2, 1],
      [3, 0],
      [4, 1],
    ]);
    expect(total).toBe(3);
    expect(buckets[2]).toMatchObject({ succeeded: 1, failed: 0, rejected: 0 });
    expect(buckets[2]?.p95Ms).toBeGreaterThanOrEqual(20);
    expect(buckets[1]?.p95Ms).toBeNull();
  });

  it('begins hours and days where they begin in UTC', async () => {
    const webhookId = newRandomUuid();
    await count({ webhookId, atMs: NOON_MS + 59 * MINUTE_MS, outcome: 'ACCEPTED' });
    const from = new Date(NOON_MS + 30 * MINUTE_MS);
    const to = new Date(NOON_MS + 60 * MINUTE_MS);
    const read = async (interval: 'HOUR' | 'DAY'): Promise<unknown> =>
      (await readStatistics(pool, { webhookIds: [webhookId], from, to, interval })).buckets;
    expect(await read('HOUR')).toEqual([expect.objectContaining({ start: new Date(NOON_MS), total: 1 })]);
    const midnight = new Date(NOON_MS - DAY_MS / 2);
    expect(await read('DAY')).toEqual([expect.objectContaining({ start: midnight, total: 1 })]);
  });

  it('sums the webhooks asked for, or all', async () => {
    const [a, b, c] = [newRandomUuid(), newRandomUuid(), newRandomUuid()];
    for (const webhookId of [a, b, c]) await count({ webhookId, outcome: 'ACCEPTED' });
    expect(await readDay([a, b])).toMatchObject({ total: 2 });
    expect(await readDay([])).toMatchObject({ total: 0, lastCalledAt: null });
    expect(await readDay()).toMatchObject({ total: 3 });
  });

  it('refuses a time that is empty or has too many intervals', async () => {
    const at = new Date(NOON_MS);
    const later = new Date(NOON_MS + 2 * DAY_MS);
    const badInput = expect.objectContaining({ code: 'BAD_USER_INPUT' }) as unknown;
    await expect(readStatistics(pool, { from: at, to: at, interval: 'DAY' })).rejects.toEqual(badInput);
    await expect(readStatistics(pool, { from: at, to: later, interval: 'MINUTE' })).rejects.toEqual(badInput);
    await expect(readStatistics(pool, { from: at, to: new Date(NaN), interval: 'DAY' })).rejects.toEqual(badInput);
  });

  it('counts the calls of many webhooks in one query, with the time of the newest', async () => {
    const [busy, rejectedOnly, unknown] = [newRandomUuid(), newRandomUuid(), newRandomUuid()];
    await count({ webhookId: busy, outcome: 'ACCEPTED', calls: 4 });
    await count({ webhookId: busy, outcome: 'SUCCEEDED', calls: 3, durationMs: 9 });
    await count({ webhookId: rejectedOnly, outcome: 'REJECTED_INPUT', calls: 2 });
    await addCall(busy, NOON_MS);
    await addCall(busy, NOON_MS + 1_234);
    const counts = await readCallCounts(pool, [busy, rejectedOnly, unknown]);
    expect(counts.get(busy)).toEqual({ callCount: 4, lastCalledAt: new Date(NOON_MS + 1_234) });
    expect(counts.get(rejectedOnly)).toEqual({ callCount: 2, lastCalledAt: null });
    expect(counts.get(unknown)).toEqual({ callCount: 0, lastCalledAt: null });
    expect(await readDay([busy, unknown])).toMatchObject({ lastCalledAt: new Date(NOON_MS + 1_234) });
    expect(await readDay()).toMatchObject({ lastCalledAt: new Date(NOON_MS + 1_234) });
  });

  it('folds old counters without losing any, and leaves the last day alone', async () => {
    const webhookId = newRandomUuid();
    const todayMs = new Date().setUTCHours(0, 0, 0, 0);
    const ages = [0, 1, 10, 100].map((days) => todayMs - days * DAY_MS);
    for (const dayMs of ages) {
      for (const minute of [0, 1, 59, 61]) {
        for (const shard of [0, 4]) {
          const atMs = dayMs + minute * MINUTE_MS;
          await count({ webhookId, atMs, shard, outcome: 'ACCEPTED' });
          await count({ webhookId, atMs, shard, outcome: 'SUCCEEDED', durationMs: 50, tokens: 7 });
        }
      }
    }
    const readAll = (): Promise<CallStatistics> =>
      readStatistics(pool, { from: new Date(ages[3]!), to: new Date(todayMs + DAY_MS), interval: 'DAY' });
    const rowsOfDay = async (dayMs: number): Promise<number> => {
      const { rows } = await pool.query<{ rows: number }>(
        `select count(*)::integer as rows from call_statistics
         where outcome = 'ACCEPTED' and bucket_start >= $1 and bucket_start < $2`,
        [new Date(dayMs), new Date(dayMs + DAY_MS)],
      );
      return rows[0]!.rows;
    };
    const before = await readAll();
    await compactStatistics(pool);
    await compactStatistics(pool);
    expect(await Promise.all(ages.map(rowsOfDay))).toEqual([8, 8, 2, 1]);
    expect(await readAll()).toEqual(before);
    expect(before).toMatchObject({ total: 32, succeeded: 32, promptTokens: 224 });
    await count({ webhookId, atMs: ages[2]! + 5 * MINUTE_MS, outcome: 'ACCEPTED' }); // one that came late
    await compactStatistics(pool);
    expect(await rowsOfDay(ages[2]!)).toBe(2);
    expect(await readAll()).toMatchObject({ total: 33 });
  });
});
