import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { EventHub } from '../../../src/events/event-hub.js';
import type { Clock } from '../../../src/lib/clock.js';
import { newRandomUuid } from '../../../src/lib/ids.js';
import { createLogger } from '../../../src/lib/logger.js';
import { CallLimiter, type LimitDecision, type LimitSubject } from '../../../src/rate-limits/limiter.js';
import type { LimitDefaults } from '../../../src/rate-limits/limit-scope.js';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.js';

const log = createLogger('silent');
const UNLIMITED: LimitDefaults = { globalPerMinute: 0, userPerMinute: 0, webhookPerMinute: 0 };

/** A clock that stands still until it is moved. */
class HandClock implements Clock {
  #ms = 1_000_000;
  nowMs(): number {
    return this.#ms;
  }
  monotonicMs(): number {
    return this.#ms;
  }
  advance(ms: number): void {
    this.#ms += ms;
  }
}

describe('CallLimiter', () => {
  let test: TestDatabase;
  let pool: pg.Pool;
  const closing: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    test = await createTestDatabase();
    pool = new pg.Pool({ connectionString: test.url, max: 8 });
  });

  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close();
    await pool.query('truncate rate_limit_windows, rate_limit_policies');
  });

  afterAll(async () => {
    await pool.end();
    await test.drop();
  });

  /** What a process of its own has: a limiter with its own hub and, here, the same pool. */
  const startLimiter = (
    defaults: Partial<LimitDefaults>,
    { usedPool = pool, clock }: { usedPool?: pg.Pool; clock?: Clock } = {},
  ): { limiter: CallLimiter; hub: EventHub } => {
    const hub = new EventHub();
    const limiter = new CallLimiter({
      database: { pool: usedPool },
      hub,
      log,
      defaults: { ...UNLIMITED, ...defaults },
      ...(clock !== undefined && { clock }),
    });
    closing.push(async () => {
      hub.close();
      await limiter.close();
    });
    return { limiter, hub };
  };

  const subject = (): LimitSubject => ({ webhookId: newRandomUuid(), ownerId: newRandomUuid() });

  /** Takes until the first refusal; at most `callsMax`. */
  const takeAll = async (limiter: CallLimiter, who: LimitSubject, callsMax: number): Promise<number> => {
    let allowed = 0;
    while (allowed < callsMax && (await limiter.take(who)).allowed) allowed += 1;
    return allowed;
  };

  const isQuiet = (): boolean => pool.idleCount === pool.totalCount && pool.waitingCount === 0;

  /** Resolves when no lease is under way: one that came in after a window was ended by hand would be of the next. */
  const quiet = async (): Promise<void> => {
    while (!isQuiet()) await new Promise((resolve) => pool.once('release', resolve));
    await new Promise((resolve) => setImmediate(resolve));
  };

  const refusalOf = (decision: LimitDecision): unknown => (decision.allowed ? undefined : decision.refusal);

  const counted = async (key: string): Promise<number | undefined> => {
    const { rows } = await pool.query<{ points: number }>('select points from rate_limit_windows where key = $1', [
      key,
    ]);
    return rows[0]?.points;
  };

  it('lets everything pass where there is no limit, without touching the database', async () => {
    const { limiter } = startLimiter({});
    expect(await takeAll(limiter, subject(), 1_000)).toBe(1_000);
    expect((await pool.query('select 1 from rate_limit_windows')).rowCount).toBe(0);
  });

  it.each([
    { processes: 2, perMinute: 3_000 },
    { processes: 4, perMinute: 1_000 },
    { processes: 2, perMinute: 7 },
  ])('keeps $processes processes together to $perMinute a minute', async ({ processes, perMinute }) => {
    const limiters = Array.from({ length: processes }, () => startLimiter({ globalPerMinute: perMinute }).limiter);
    // Forty at once in each, all of them until they are refused.
    const totals = await Promise.all(
      limiters.flatMap((limiter) => Array.from({ length: 40 }, () => takeAll(limiter, subject(), perMinute + 1))),
    );
    const allowed = totals.reduce((sum, total) => sum + total, 0);
    expect(allowed).toBeLessThanOrEqual(perMinute);
    expect(allowed).toBeGreaterThanOrEqual(Math.floor(perMinute * 0.99));
  });

  it('asks the database some 200 times a limit and window, not once a call', async () => {
    let queries = 0;
    const counting = new pg.Pool({ connectionString: test.url, max: 2 });
    counting.on('acquire', () => (queries += 1));
    const { limiter } = startLimiter({ globalPerMinute: 60_000 }, { usedPool: counting });
    closing.unshift(() => counting.end()); // closed after the limiter
    expect(await takeAll(limiter, subject(), 60_001)).toBe(60_000);
    expect(queries).toBeLessThan(260);
  });

  it('decides at once while calls are in hand and when the window is exhausted', async () => {
    const { limiter } = startLimiter({ globalPerMinute: 400 });
    const who = subject();
    expect(await takeAll(limiter, who, 401)).toBe(400);
    expect(limiter.take(who)).not.toBeInstanceOf(Promise);
    const roomy = startLimiter({ webhookPerMinute: 40_000 }).limiter;
    await takeAll(roomy, who, 100); // until its leases have grown
    expect(roomy.take(who)).toEqual({ allowed: true });
  });

  it('says which policy refuses, its number and when to come again', async () => {
    const { limiter } = startLimiter({ globalPerMinute: 1_000, userPerMinute: 2, webhookPerMinute: 100 });
    const who = subject();
    expect(await takeAll(limiter, who, 3)).toBe(2);
    const refusal = refusalOf(await limiter.take(who));
    expect(refusal).toMatchObject({ policy: 'user', perMinute: 2, windowMs: 60_000 });
    const { retryAfterMs } = refusal as { retryAfterMs: number };
    expect(retryAfterMs).toBeGreaterThan(50_000);
    expect(retryAfterMs).toBeLessThanOrEqual(60_000);
  });

  it('takes nothing from the other policies for a call that it refuses', async () => {
    const { limiter } = startLimiter({ globalPerMinute: 20, webhookPerMinute: 5 });
    const ownerId = newRandomUuid();
    const greedy = { webhookId: newRandomUuid(), ownerId };
    const outcomes = await Promise.all(Array.from({ length: 200 }, async () => await limiter.take(greedy)));
    expect(outcomes.filter((decision) => decision.allowed)).toHaveLength(5);
    const others = [1, 2, 3].map(() => ({ webhookId: newRandomUuid(), ownerId }));
    const totals = await Promise.all(others.map((other) => takeAll(limiter, other, 6)));
    expect(totals).toEqual([5, 5, 5]);
    expect(refusalOf(await limiter.take({ webhookId: newRandomUuid(), ownerId }))).toMatchObject({ policy: 'global' });
  });

  it('counts each user and each webhook apart', async () => {
    const { limiter } = startLimiter({ userPerMinute: 3 });
    const [a, b] = [subject(), subject()];
    expect(await takeAll(limiter, a, 4)).toBe(3);
    expect(await takeAll(limiter, { ...a, webhookId: newRandomUuid() }, 4)).toBe(0);
    expect(await takeAll(limiter, b, 4)).toBe(3);
  });

  it('begins anew when the window ends, in every process', async () => {
    const clock = new HandClock();
    const [first, second] = [1, 2].map(() => startLimiter({ globalPerMinute: 10 }, { clock }).limiter);
    const who = subject();
    expect(await takeAll(first!, who, 11)).toBe(10);
    expect(await takeAll(second!, who, 11)).toBe(0);
    clock.advance(59_000);
    expect(await takeAll(first!, who, 11)).toBe(0);
    await quiet();
    await pool.query('update rate_limit_windows set expire = 0'); // the window's end, as the row knows it
    clock.advance(1_000);
    expect((await takeAll(first!, who, 6)) + (await takeAll(second!, who, 11))).toBe(10);
  });

  it('lets what one process holds lapse with its window', async () => {
    const clock = new HandClock();
    const { limiter } = startLimiter({ globalPerMinute: 10_000 }, { clock });
    const who = subject();
    await takeAll(limiter, who, 300); // leases have grown, so some calls are in hand
    await quiet();
    await pool.query('update rate_limit_windows set expire = 0');
    clock.advance(60_000);
    expect(await takeAll(limiter, who, 10_001)).toBe(10_000);
  });

  it('spends nothing of a window that another process has ended', async () => {
    const clock = new HandClock();
    const { limiter } = startLimiter({ globalPerMinute: 10_000 }, { clock });
    const who = subject();
    await takeAll(limiter, who, 300);
    await quiet();
    clock.advance(30_000);
    await pool.query('update rate_limit_windows set expire = 0');
    while (isQuiet()) await limiter.take(who); // until it fetches ahead, and so hears of the new window
    await quiet();
    expect(await takeAll(limiter, who, 10_001)).toBe(10_000);
  });

  it('applies new numbers at once, to the window under way too', async () => {
    const { limiter, hub } = startLimiter({ globalPerMinute: 10 });
    const who = subject();
    expect(await takeAll(limiter, who, 11)).toBe(10);
    const change = async (perMinute: number): Promise<void> => {
      await pool.query(
        `insert into rate_limit_policies (scope, per_minute) values ('GLOBAL', $1)
         on conflict (scope, subject_id) do update set per_minute = excluded.per_minute`,
        [perMinute],
      );
      hub.deliver({ kind: 'rate-limit-changed' });
      await new Promise((resolve) => setImmediate(resolve)); // the numbers are being read
      await quiet();
    };
    await change(25);
    expect(await takeAll(limiter, who, 26)).toBe(15);
    await change(12);
    expect(refusalOf(await limiter.take(who))).toMatchObject({ perMinute: 12 });
    await change(0);
    expect(await takeAll(limiter, who, 100)).toBe(100);
  });

  it('prefers the number of one user or webhook to that of all', async () => {
    const [special, plain] = [subject(), subject()];
    await pool.query(
      `insert into rate_limit_policies (scope, subject_id, per_minute)
       values ('WEBHOOK', null, 2), ('WEBHOOK', $1, 4), ('USER', $2, 1)`,
      [special.webhookId, plain.ownerId],
    );
    const { limiter } = startLimiter({ userPerMinute: 100, webhookPerMinute: 50 });
    expect(await takeAll(limiter, special, 5)).toBe(4);
    expect(await takeAll(limiter, plain, 5)).toBe(1);
    expect(await takeAll(limiter, subject(), 5)).toBe(2);
  });

  it('gives back what it holds when it closes', async () => {
    const { limiter } = startLimiter({ globalPerMinute: 10_000 });
    const who = subject();
    expect(await takeAll(limiter, who, 123)).toBe(123);
    expect(await counted('global')).toBeGreaterThan(123);
    await limiter.close();
    expect(await counted('global')).toBe(123);
  });

  it('keeps to the limits by itself while the database is away', async () => {
    const gone = new pg.Pool({ connectionString: test.url });
    const { limiter } = startLimiter({ globalPerMinute: 500, webhookPerMinute: 50 }, { usedPool: gone });
    const who = subject();
    expect(await takeAll(limiter, who, 10)).toBe(10);
    await gone.end();
    const more = await takeAll(limiter, who, 1_000);
    expect(more).toBeGreaterThan(0);
    expect(more).toBeLessThanOrEqual(50);
    expect(refusalOf(await limiter.take(who))).toMatchObject({ policy: 'webhook' });
  });

  it('starts with the configured numbers when the database is away', async () => {
    const gone = new pg.Pool({ connectionString: test.url });
    await gone.end();
    const { limiter } = startLimiter({ globalPerMinute: 5 }, { usedPool: gone });
    expect(await takeAll(limiter, subject(), 10)).toBe(5);
  });
});
