import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { type RejectedCall, RejectedCallRecorder } from '../../../src/calls/rejected-calls.js';
import { decodeEvents } from '../../../src/events/wire.js';
import type { DomainEvent } from '../../../src/events/event.js';
import type { Sql } from '../../../src/db/database.js';
import type { Clock } from '../../../src/lib/clock.js';
import { newRandomUuid } from '../../../src/lib/ids.js';
import { createLogger } from '../../../src/lib/logger.js';
import { pollUntil } from '../../support/poll-until.js';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.js';

/** Noon, so that no test crosses a minute or a partition. */
const NOON_MS = new Date().setUTCHours(12, 0, 0, 0);

describe('RejectedCallRecorder', () => {
  let test: TestDatabase;
  let pool: pg.Pool;
  let nowMs = NOON_MS;
  const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };

  beforeAll(async () => {
    test = await createTestDatabase();
    pool = new pg.Pool({ connectionString: test.url, max: 4 });
  });

  afterEach(async () => {
    nowMs = NOON_MS;
    await pool.query('truncate calls, call_statistics');
  });

  afterAll(async () => {
    await pool.end();
    await test.drop();
  });

  const startRecorder = (sql: Sql = pool): RejectedCallRecorder =>
    new RejectedCallRecorder({ sql, clock, log: createLogger('silent'), shard: 5 });

  const rejected = (webhookId: string, more: Partial<RejectedCall> = {}): RejectedCall => ({
    webhookId,
    outcome: 'REJECTED_AUTHENTICATION',
    httpStatus: 401,
    reason: 'the secret is wrong',
    sourceIp: '203.0.113.7',
    requestHeaders: () => ({ 'content-type': 'application/json' }),
    body: Buffer.from('{"a":1}'),
    isTest: false,
    executionMode: 'ASYNC',
    dispatch: 'PARALLEL',
    ...more,
  });

  const counters = async (webhookId: string): Promise<Record<string, number>> => {
    const { rows } = await pool.query<{ outcome: string; calls: number }>(
      `select outcome, sum(calls)::integer as calls from call_statistics
       where webhook_id = $1 and duration_bucket = -1 and shard = 5 group by outcome`,
      [webhookId],
    );
    return Object.fromEntries(rows.map(({ outcome, calls }) => [outcome, calls]));
  };

  const storedRows = async (webhookId: string): Promise<Record<string, unknown>[]> =>
    (await pool.query<Record<string, unknown>>('select * from calls where webhook_id = $1 order by id', [webhookId]))
      .rows;

  it('stores the call with its reason, ended when it came, and counts it', async () => {
    const webhookId = newRandomUuid();
    const recorder = startRecorder();
    recorder.record(rejected(webhookId, { isTest: true, executionMode: 'SYNC' }));
    await recorder.close();
    expect(await storedRows(webhookId)).toEqual([
      expect.objectContaining({
        outcome: 'REJECTED_AUTHENTICATION',
        http_status: 401,
        rejection_reason: 'the secret is wrong',
        source_ip: '203.0.113.7',
        request_headers: { 'content-type': 'application/json' },
        request_body: Buffer.from('{"a":1}'),
        is_test: true,
        execution_mode: 'SYNC',
        pending: 0,
        duration_ms: 0,
        received_at: new Date(NOON_MS),
        finished_at: new Date(NOON_MS),
      }),
    ]);
    expect(await counters(webhookId)).toEqual({ REJECTED_AUTHENTICATION: 1 });
  });

  it('writes by itself and tells who listens, after the commit', async () => {
    const webhookId = newRandomUuid();
    const listener = new pg.Client({ connectionString: test.url });
    await listener.connect();
    await listener.query('listen workhook_events');
    const heard = new Promise<DomainEvent[]>((resolve) => {
      listener.on('notification', ({ payload }) => resolve(decodeEvents(payload ?? '')));
    });
    const recorder = startRecorder();
    recorder.record(rejected(webhookId));
    const events = await heard;
    const [row] = await storedRows(webhookId);
    expect(events).toEqual([{ kind: 'call-received', callId: row?.['id'], webhookId }]);
    await recorder.close();
    await listener.end();
  });

  it('counts a flood exactly and keeps twenty rows a second of each webhook', async () => {
    const [flooded, quiet] = [newRandomUuid(), newRandomUuid()];
    const recorder = startRecorder();
    for (let i = 0; i < 5_000; i += 1) recorder.record(rejected(flooded, { outcome: 'RATE_LIMITED', httpStatus: 429 }));
    for (let i = 0; i < 3; i += 1) recorder.record(rejected(quiet));
    nowMs += 1_000;
    for (let i = 0; i < 5_000; i += 1) recorder.record(rejected(flooded));
    await recorder.close();
    expect(await counters(flooded)).toEqual({ RATE_LIMITED: 5_000, REJECTED_AUTHENTICATION: 5_000 });
    expect(await storedRows(flooded)).toHaveLength(40);
    expect(await storedRows(quiet)).toHaveLength(3);
  });

  it('keeps 200 rows a minute of one webhook, 500 a second of all, and counts everything', async () => {
    const flooded = newRandomUuid();
    const recorder = startRecorder();
    for (let second = 0; second < 30; second += 1) {
      for (let i = 0; i < 50; i += 1) recorder.record(rejected(flooded, { body: Buffer.alloc(0) }));
      nowMs += 1_000;
    }
    const many = Array.from({ length: 100 }, newRandomUuid);
    for (const webhookId of many) for (let i = 0; i < 10; i += 1) recorder.record(rejected(webhookId));
    await recorder.close();
    expect(await counters(flooded)).toEqual({ REJECTED_AUTHENTICATION: 1_500 });
    expect(await storedRows(flooded)).toHaveLength(200);
    const { rows } = await pool.query<{ rows: number; counted: number }>(
      `select (select count(*)::integer from calls) as rows, (select sum(calls)::integer from call_statistics) as counted`,
    );
    expect(rows[0]).toEqual({ rows: 700, counted: 2_500 });
  });

  it('explains two a second of a webhook and ten of all, whatever floods it', async () => {
    let run = 0;
    const explain = {
      bytes: 2,
      run: () => {
        run += 1;
        return Promise.resolve({ reason: `it was looked into\0`, code: 'BODY_RESERIALIZED' });
      },
    };
    const [flooded, ...quiet] = Array.from({ length: 12 }, newRandomUuid);
    const recorder = startRecorder();
    const code = 'AUTHENTICATION_FAILED';
    for (let i = 0; i < 1_000; i += 1) recorder.record(rejected(flooded!, { explain, code }));
    for (const webhookId of quiet) recorder.record(rejected(webhookId, { explain, code }));
    await recorder.close();
    expect(run).toBe(10);
    const rows = await storedRows(flooded!);
    expect(rows.map((row) => row['rejection_code'])).toEqual(
      expect.arrayContaining(['BODY_RESERIALIZED', 'AUTHENTICATION_FAILED']),
    );
    const explained = rows.filter((row) => row['rejection_code'] === 'BODY_RESERIALIZED');
    expect(explained.map((row) => row['rejection_reason'])).toEqual(Array(2).fill('it was looked into\u{fffd}'));
    expect(await storedRows(quiet[0]!)).toEqual([expect.objectContaining({ rejection_code: 'BODY_RESERIALIZED' })]);
  });

  it('explains nothing more when a flush has taken its time, and keeps the reason that it has', async () => {
    const webhookId = newRandomUuid();
    let run = 0;
    const recorder = startRecorder();
    const slow = {
      bytes: 0,
      run: () => {
        run += 1;
        nowMs += 60;
        return Promise.resolve({ reason: 'looked into', code: 'SIGNATURE_WRONG' });
      },
    };
    recorder.record(rejected(webhookId, { explain: slow }));
    recorder.record(rejected(webhookId, { explain: slow }));
    await recorder.close();
    expect(run).toBe(1);
    const reasons = (await storedRows(webhookId)).map((row) => row['rejection_reason']);
    expect(new Set(reasons)).toEqual(new Set(['looked into', 'the secret is wrong']));
  });

  it('keeps the reason that it has when no better one can be found', async () => {
    const webhookId = newRandomUuid();
    const recorder = startRecorder();
    const failing = { bytes: 0, run: () => Promise.reject(new Error('the database is away')) };
    const huge = { bytes: 9_000_000, run: () => Promise.resolve({ reason: 'never asked for', code: 'X' }) };
    recorder.record(rejected(webhookId, { explain: failing }));
    recorder.record(rejected(webhookId, { explain: huge }));
    await recorder.close();
    expect((await storedRows(webhookId)).map((row) => row['rejection_reason'])).toEqual([
      'the secret is wrong',
      'the secret is wrong',
    ]);
  });

  it('counts in the minute in which the call came', async () => {
    const webhookId = newRandomUuid();
    const recorder = startRecorder();
    nowMs = NOON_MS + 59_999;
    recorder.record(rejected(webhookId));
    nowMs = NOON_MS + 60_000;
    recorder.record(rejected(webhookId));
    await recorder.close();
    const { rows } = await pool.query('select bucket_start from call_statistics where webhook_id = $1 order by 1', [
      webhookId,
    ]);
    expect(rows).toEqual([{ bucket_start: new Date(NOON_MS) }, { bucket_start: new Date(NOON_MS + 60_000) }]);
  });

  it('cuts a large body and replaces what PostgreSQL cannot store in a text', async () => {
    const webhookId = newRandomUuid();
    const recorder = startRecorder();
    const odd = { reason: 'worker-a /\0: bad', requestHeaders: () => ({ 'x-odd': '\0\ud800' }) };
    recorder.record(rejected(webhookId, { ...odd, body: Buffer.alloc(200_000, 0) }));
    nowMs += 1; // rows of one millisecond have no order
    recorder.record(rejected(webhookId));
    await recorder.close();
    const [large, small] = await storedRows(webhookId);
    expect(large?.['request_body']).toEqual(Buffer.alloc(65_536, 0));
    expect(large?.['rejection_reason']).toBe('worker-a /\u{fffd}: bad');
    expect(small?.['request_body']).toEqual(Buffer.from('{"a":1}'));
  });

  it('bounds what waits when many webhooks are flooded at once, and still counts', async () => {
    const webhookIds = Array.from({ length: 200 }, newRandomUuid);
    const recorder = startRecorder();
    const body = Buffer.alloc(65_536, 1);
    for (const webhookId of webhookIds) for (let i = 0; i < 10; i += 1) recorder.record(rejected(webhookId, { body }));
    await recorder.close();
    const { rows } = await pool.query<{ rows: number; counted: number }>(
      `select (select count(*)::integer from calls) as rows, (select sum(calls)::integer from call_statistics) as counted`,
    );
    expect(rows[0]?.counted).toBe(2_000);
    expect(rows[0]?.rows).toBeGreaterThan(100);
    expect(rows[0]?.rows).toBeLessThanOrEqual(128); // 8 MiB
  });

  it('keeps what could not be written and writes it later, once', async () => {
    const webhookId = newRandomUuid();
    const failed = Promise.withResolvers<void>();
    const recorder = startRecorder({
      query: async <Row extends pg.QueryResultRow>(statement: string | pg.QueryConfig, values?: unknown[]) => {
        try {
          return await pool.query<Row>(statement, values);
        } catch (error) {
          failed.resolve();
          throw error;
        }
      },
    });
    await pool.query('alter table call_statistics rename to away');
    recorder.record(rejected(webhookId));
    recorder.record(rejected(webhookId));
    await failed.promise;
    await pool.query('alter table away rename to call_statistics');
    recorder.record(rejected(webhookId));
    await recorder.close();
    expect(await counters(webhookId)).toEqual({ REJECTED_AUTHENTICATION: 3 });
    expect(await storedRows(webhookId)).toHaveLength(3);
  });

  it('counts once what was committed and not confirmed, and what came meanwhile', async () => {
    const webhookId = newRandomUuid();
    let broken = true;
    const sql: Sql = {
      query: (async (...args: Parameters<typeof pool.query>) => {
        const result = await (pool.query(...args) as unknown as Promise<unknown>);
        if (broken) throw new Error('Connection terminated unexpectedly');
        return result;
      }) as unknown as Sql['query'],
    };
    const recorder = startRecorder(sql);
    for (let i = 0; i < 30; i += 1) recorder.record(rejected(webhookId)); // twenty of them as rows
    await pollUntil('the first commit', async () =>
      (await counters(webhookId))['REJECTED_AUTHENTICATION'] === 30 ? true : undefined,
    );
    broken = false;
    recorder.record(rejected(webhookId, { outcome: 'RATE_LIMITED' }));
    await recorder.close();
    expect(await counters(webhookId)).toEqual({ REJECTED_AUTHENTICATION: 30, RATE_LIMITED: 1 });
    const { rows } = await pool.query<{ n: number }>('select count(*)::integer as n from calls');
    expect(rows[0]!.n).toBe(20);
  });

  it('gives up a row that the database will never take, not the counts', async () => {
    const webhookId = newRandomUuid();
    const recorder = startRecorder();
    recorder.record(rejected(webhookId, { httpStatus: 99_999 })); // no smallint
    await recorder.close();
    expect(await storedRows(webhookId)).toEqual([]);
    expect(await counters(webhookId)).toEqual({ REJECTED_AUTHENTICATION: 1 });
  });

  it('never throws, not even without a database', async () => {
    const gone = new pg.Pool({ connectionString: test.url });
    await gone.end();
    const recorder = startRecorder(gone);
    recorder.record(rejected(newRandomUuid()));
    await expect(recorder.close()).resolves.toBeUndefined();
  });
});
