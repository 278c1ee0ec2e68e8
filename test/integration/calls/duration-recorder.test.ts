import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { compactStatistics } from '../../../src/calls/compact-statistics.js';
import { DurationRecorder } from '../../../src/calls/duration-recorder.js';
import { readStatistics, readStatisticsByWebhook } from '../../../src/calls/statistics.js';
import { systemClock } from '../../../src/lib/clock.js';
import { newRandomUuid } from '../../../src/lib/ids.js';
import { createLogger } from '../../../src/lib/logger.js';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.js';

const log = createLogger('silent');
const HOUR_MS = 3_600_000;
const NONE = { p50Ms: null, p95Ms: null, p99Ms: null };

describe('durations', () => {
  let test: TestDatabase;
  let pool: pg.Pool;

  beforeAll(async () => {
    test = await createTestDatabase();
    pool = new pg.Pool({ connectionString: test.url, max: 2 });
  });

  afterAll(async () => {
    await pool.end();
    await test.drop();
  });

  const read = (webhookId: string, atMs: number): ReturnType<typeof readStatistics> =>
    readStatistics(pool, {
      webhookIds: [webhookId],
      from: new Date(atMs - HOUR_MS),
      to: new Date(atMs + HOUR_MS),
      interval: 'HOUR',
    });

  it('are read as percentiles, of accepts and executions apart, and are no calls', async () => {
    const recorder = new DurationRecorder({ sql: pool, clock: systemClock, log, shard: 2 });
    const [webhookId, other] = [newRandomUuid(), newRandomUuid()];
    for (let i = 1; i <= 100; i += 1) recorder.note('TIME_TO_ACCEPT', webhookId, i);
    recorder.note('TIME_TO_EXECUTE', webhookId, 4_000);
    recorder.note('TIME_TO_EXECUTE', other, 9_000);
    await recorder.close();
    const statistics = await read(webhookId, Date.now());
    const { p50Ms, p95Ms, p99Ms } = statistics.acceptTimes;
    for (const [shown, actual] of [
      [p50Ms, 50],
      [p95Ms, 95],
      [p99Ms, 99],
    ] as const) {
      expect(shown).toBeGreaterThanOrEqual(actual);
      expect(shown).toBeLessThanOrEqual(actual * 1.19);
    }
    expect(statistics.executionTimes.p50Ms).toBeGreaterThanOrEqual(4_000);
    expect(statistics.executionTimes.p99Ms).toBeLessThan(4_800);
    expect(statistics).toMatchObject({ total: 0, succeeded: 0, failed: 0, rejected: 0, byOutcome: [], ...NONE });
    const now = Date.now();
    const time = { from: new Date(now - HOUR_MS), to: new Date(now + HOUR_MS), interval: 'HOUR' } as const;
    const both = await readStatisticsByWebhook(pool, { webhookIds: [webhookId, other], ...time });
    expect(both.get(webhookId)?.acceptTimes).toEqual(statistics.acceptTimes);
    expect(both.get(other)).toMatchObject({ total: 0, acceptTimes: NONE });
    expect(both.get(other)?.executionTimes.p50Ms).toBeGreaterThanOrEqual(9_000);
  });

  it('are kept while they cannot be written, and survive that their minutes are folded into hours', async () => {
    const atMs = Date.now() - 3 * 86_400_000;
    const clock = { ...systemClock, nowMs: () => atMs };
    let away = true;
    const sql = {
      query: ((...args: Parameters<typeof pool.query>) =>
        away ? Promise.reject(new Error('away')) : pool.query(...args)) as unknown as typeof pool.query,
    };
    const recorder = new DurationRecorder({ sql, clock, log, shard: 2 });
    const webhookId = newRandomUuid();
    recorder.note('TIME_TO_ACCEPT', webhookId, 7);
    await recorder.flush();
    expect((await read(webhookId, atMs)).acceptTimes).toEqual(NONE);
    away = false;
    recorder.note('TIME_TO_ACCEPT', webhookId, 7);
    await recorder.close();
    await compactStatistics(pool);
    const { rows } = await pool.query<{ calls: number; shard: number }>(
      'select calls::integer, shard from call_statistics where webhook_id = $1',
      [webhookId],
    );
    expect(rows).toEqual([{ calls: 2, shard: 0 }]);
    expect((await read(webhookId, atMs)).acceptTimes.p50Ms).toBeGreaterThanOrEqual(7);
  });
});
