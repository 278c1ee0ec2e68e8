import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { Principal } from '../../../src/access/principal.js';
import { EventHub } from '../../../src/events/event-hub.js';
import { EventListener } from '../../../src/events/event-listener.js';
import { topics } from '../../../src/events/event.js';
import { formatId, newRandomUuid } from '../../../src/lib/ids.js';
import { CallLimiter } from '../../../src/rate-limits/limiter.js';
import { readRateLimits, readWebhookLimits } from '../../../src/rate-limits/read-rate-limits.js';
import { setRateLimit, type SetRateLimitInput } from '../../../src/rate-limits/set-rate-limit.js';
import { type AdminFixture, openAdminFixture } from '../../support/admin-fixture.js';

const defaults = { globalPerMinute: 1_000, userPerMinute: 100, webhookPerMinute: 0 };

describe('setRateLimit', () => {
  let fixture: AdminFixture;
  let webhookId: string;

  beforeAll(async () => {
    fixture = await openAdminFixture();
    webhookId = newRandomUuid();
    await fixture.database.pool.query(
      `insert into webhooks (id, name, active, execution_mode, dispatch, auth_method, owner_id)
       values ($1, 'test', true, 'ASYNC', 'PARALLEL', 'HMAC_SIGNATURE', $2)`,
      [webhookId, fixture.owner.userId],
    );
  });

  afterEach(async () => {
    await fixture.database.pool.query('truncate rate_limit_policies, rate_limit_windows');
  });

  afterAll(() => fixture.close());

  const set = (input: SetRateLimitInput, principal: Principal = fixture.owner): ReturnType<typeof setRateLimit> =>
    setRateLimit({ database: fixture.database, defaults }, principal, input);

  const read = (): ReturnType<typeof readRateLimits> => readRateLimits(fixture.database.pool, defaults, fixture.owner);

  it('sets, changes and clears the number of a webhook', async () => {
    const scope = 'WEBHOOK';
    const given = expect.any(Date) as unknown;
    for (const perMinute of [60, 0]) {
      expect(await set({ scope, subjectId: webhookId, perMinute })).toEqual({
        ok: true,
        value: { scope, subjectId: webhookId, perMinute, updatedAt: given },
      });
    }
    await set({ scope, subjectId: null, perMinute: 30 });
    const other = fixture.owner.userId; // no webhook's id: what holds for any without a limit of its own
    expect(await readWebhookLimits(fixture.database.pool, defaults, [webhookId, other])).toEqual(
      new Map([
        [webhookId, { scope, subjectId: webhookId, perMinute: 0, updatedAt: given }],
        [other, { scope, subjectId: null, perMinute: 30, updatedAt: given }],
      ]),
    );
    expect(await set({ scope, subjectId: webhookId, perMinute: null })).toEqual({
      ok: true,
      value: { scope, subjectId: webhookId, perMinute: 30, updatedAt: null },
    });
  });

  it('lists what holds for all, from the database or the configuration, then the particular ones', async () => {
    await set({ scope: 'USER', subjectId: fixture.owner.userId, perMinute: 7 });
    await set({ scope: 'GLOBAL', subjectId: null, perMinute: 5 });
    expect((await read()).map(({ scope, subjectId, perMinute }) => [scope, subjectId, perMinute])).toEqual([
      ['GLOBAL', null, 5],
      ['USER', null, 100],
      ['USER', fixture.owner.userId, 7],
      ['WEBHOOK', null, 0],
    ]);
  });

  it('records who changed what', async () => {
    await set({ scope: 'WEBHOOK', subjectId: webhookId, perMinute: 9 });
    const { rows } = await fixture.database.pool.query(
      'select user_id, action, subject_id, details from audit_events order by seq desc limit 1',
    );
    expect(rows).toEqual([
      {
        user_id: fixture.owner.userId,
        action: 'rate-limit.set',
        subject_id: formatId('webhook', webhookId),
        details: { scope: 'WEBHOOK', perMinute: 9 },
      },
    ]);
  });

  it.each<[string, SetRateLimitInput, string]>([
    ['a global limit of somebody', { scope: 'GLOBAL', subjectId: newRandomUuid(), perMinute: 1 }, 'NOT_ALLOWED'],
    ['a number below 0', { scope: 'GLOBAL', subjectId: null, perMinute: -1 }, 'OUT_OF_RANGE'],
    ['a part of a call', { scope: 'GLOBAL', subjectId: null, perMinute: 0.5 }, 'OUT_OF_RANGE'],
    ['too high a number', { scope: 'GLOBAL', subjectId: null, perMinute: 1_000_000_001 }, 'OUT_OF_RANGE'],
    ['a user who is not there', { scope: 'USER', subjectId: newRandomUuid(), perMinute: 1 }, 'NOT_FOUND'],
    ['a webhook that is not there', { scope: 'WEBHOOK', subjectId: newRandomUuid(), perMinute: 1 }, 'NOT_FOUND'],
  ])('refuses %s and changes nothing', async (_, input, code) => {
    expect(await set(input)).toMatchObject({ ok: false, userErrors: [{ code }] });
    const { rowCount } = await fixture.database.pool.query('select 1 from rate_limit_policies');
    expect(rowCount).toBe(0);
  });

  it('lets only those who may', async () => {
    const editor = await fixture.addUser('editor');
    const narrowed = await fixture.addUser('owner', ['calls:read']);
    const input: SetRateLimitInput = { scope: 'GLOBAL', subjectId: null, perMinute: 1 };
    const forbidden = expect.objectContaining({ code: 'FORBIDDEN' }) as unknown;
    await expect(set(input, editor)).rejects.toEqual(forbidden);
    await expect(set(input, narrowed)).rejects.toEqual(forbidden);
    await expect(readRateLimits(fixture.database.pool, defaults, narrowed)).rejects.toEqual(forbidden);
    expect(await readRateLimits(fixture.database.pool, defaults, editor)).toHaveLength(3);
  });

  it('reaches the limiter of another process', async () => {
    const hub = new EventHub();
    const listener = new EventListener({ url: fixture.url, hub, log: fixture.log });
    await listener.start();
    const pool = new pg.Pool({ connectionString: fixture.url }); // the limiter's alone
    const limiter = new CallLimiter({ database: { pool }, hub, log: fixture.log, defaults });
    const subject = { webhookId, ownerId: fixture.owner.userId };
    try {
      expect(await limiter.take(subject)).toEqual({ allowed: true });
      const heard = new Promise<void>((resolve) => {
        hub.listen([topics.rateLimits], ({ kind }) => kind === 'rate-limit-changed' && resolve());
      });
      await set({ scope: 'WEBHOOK', subjectId: webhookId, perMinute: 1 });
      await heard;
      await new Promise((resolve) => setImmediate(resolve)); // the numbers are being read
      while (pool.idleCount < pool.totalCount) await new Promise((resolve) => pool.once('release', resolve));
      await new Promise((resolve) => setImmediate(resolve));
      expect(await limiter.take(subject)).toEqual({ allowed: true });
      expect(await limiter.take(subject)).toMatchObject({
        allowed: false,
        refusal: { policy: 'webhook', perMinute: 1 },
      });
    } finally {
      await listener.close();
      hub.close();
      await limiter.close();
      await pool.end();
    }
  });
});
