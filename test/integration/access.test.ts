import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createApiToken, listApiTokens, type NewApiToken, revokeApiToken } from '../../src/access/api-tokens.js';
import { Authenticator } from '../../src/access/authenticate.js';
import { ensureOwner } from '../../src/access/owner.js';
import type { Principal } from '../../src/access/principal.js';
import { SESSION_COOKIE } from '../../src/access/session-cookie.js';
import { endSession, exchangeLoginToken, removeEndedSessions } from '../../src/access/sessions.js';
import { openDatabase } from '../../src/db/database.js';
import { ENTITIES } from '../../src/entities.js';
import { topics } from '../../src/events/event.js';
import { EventHub } from '../../src/events/event-hub.js';
import { EventListener } from '../../src/events/event-listener.js';
import { systemClock } from '../../src/lib/clock.js';
import { createLogger } from '../../src/lib/logger.js';
import type { Outcome } from '../../src/lib/user-error.js';
import { type AdminFixture, openAdminFixture } from '../support/admin-fixture.js';
import { loginTokenOf } from '../support/sign-in.js';
import { createTestDatabase } from '../support/test-database.js';

let fixture: AdminFixture;
let hub: EventHub;
let listener: EventListener;
let authenticator: Authenticator;

beforeAll(async () => {
  fixture = await openAdminFixture();
  const { url, database, clock, log } = fixture;
  hub = new EventHub();
  listener = new EventListener({ url, hub, log });
  await listener.start();
  authenticator = new Authenticator({ sql: database.pool, hub, clock, log, listening: () => listener.listening });
});

afterAll(async () => {
  await authenticator.close();
  await listener.close();
  hub.close();
  await fixture.close();
});

const valueOf = <T>(outcome: Outcome<T>): T => {
  if (outcome.ok) return outcome.value;
  throw new Error(JSON.stringify(outcome.userErrors));
};

const newToken = async (
  principal: Principal,
  scopes?: readonly string[],
  expiresAt?: Date,
): Promise<{ apiToken: NewApiToken['apiToken']; token: string }> => {
  const { apiToken, token } = valueOf(await createApiToken(fixture, principal, { name: 'ci', scopes, expiresAt }));
  return { apiToken, token: token! };
};

const bearer = (token: string): { authorization: string } => ({ authorization: `Bearer ${token}` });

describe('the owner', () => {
  it('is made once by starts at the same time, with the token of one of them', async () => {
    const testDatabase = await createTestDatabase();
    const database = await openDatabase({
      url: testDatabase.url,
      entities: ENTITIES,
      poolSize: 16,
      log: createLogger('silent'),
    });
    try {
      const adminToken = 'an-operator-chose-this-token-of-40-chars';
      const deps = { database, clock: systemClock };
      const starts = await Promise.all(Array.from({ length: 6 }, () => ensureOwner(deps, adminToken)));
      expect(new Set(starts.map(({ ownerId }) => ownerId)).size).toBe(1);
      expect(starts.filter(({ created }) => created)).toHaveLength(1);
      expect(starts.map((start) => start.adminToken).toSorted()).toEqual([
        'installed',
        'known',
        'known',
        'known',
        'known',
        'known',
      ]);
      expect((await ensureOwner(deps)).adminToken).toBe('not-given');
      expect((await ensureOwner(deps, 'another-token-that-comes-too-late-to-count')).adminToken).toBe('ignored');

      const ownHub = new EventHub();
      const reader = new Authenticator({
        sql: database.pool,
        hub: ownHub,
        clock: systemClock,
        log: createLogger('silent'),
        listening: () => false,
      });
      expect(await reader.authenticate(bearer(adminToken))).toMatchObject({
        userId: starts[0]!.ownerId,
        role: 'owner',
      });
      expect(await reader.authenticate(bearer('another-token-that-comes-too-late-to-count'))).toBeUndefined();
      await reader.close();
      ownHub.close();
      const { rows } = await database.pool.query('select * from audit_events, api_tokens');
      expect(JSON.stringify(rows)).not.toContain(adminToken);
    } finally {
      await database.close();
      await testDatabase.drop();
    }
  });

  it('refuses a damaged token of ours, without showing it', async () => {
    const adminToken = `wha_${'0'.repeat(26)}_${'A'.repeat(48)}`;
    await expect(ensureOwner(fixture, adminToken)).rejects.toMatchObject({
      code: 'CONFIGURATION_INVALID',
      message: expect.not.stringContaining(adminToken),
    });
  });
});

describe('API tokens', () => {
  it('let their user in, with the scheme in any case', async () => {
    const { token, apiToken } = await newToken(fixture.owner, ['calls:read']);
    const expected = {
      userId: fixture.owner.userId,
      role: 'owner',
      credential: { type: 'api-token', id: apiToken.id },
      scopes: ['calls:read'],
    };
    expect(await authenticator.authenticate(bearer(token))).toEqual(expected);
    expect(await authenticator.authenticate({ authorization: `bEARER  ${token}` })).toEqual(expected);
  });

  it.each([
    ['nothing', undefined],
    ['an empty header', ''],
    ['another scheme', 'Basic dXNlcjpwYXNzd29yZHBhc3N3b3JkcGFzc3dvcmQ='],
    ['a token of nobody', 'Bearer nobody-has-this-token-0123456789abcdef'],
    ['a short one', 'Bearer short'],
    ['an endless one', `Bearer ${'a'.repeat(100_000)}`],
    ['a look-alike of ours', `Bearer wha_${'0'.repeat(26)}_${'A'.repeat(48)}`],
  ])('let nobody in with %s', async (_, authorization) => {
    expect(await authenticator.authenticate({ authorization })).toBeUndefined();
  });

  it('end everywhere when they are revoked', async () => {
    const { token, apiToken } = await newToken(fixture.owner);
    expect(await authenticator.authenticate(bearer(token))).toBeDefined();
    const ended = hub.subscribe([topics.credentials]);
    await revokeApiToken(fixture, fixture.owner, apiToken.id);
    expect((await ended[Symbol.asyncIterator]().next()).value).toEqual({
      kind: 'credential-ended',
      credentialId: apiToken.id,
    });
    expect(await authenticator.authenticate(bearer(token))).toBeUndefined();
    expect(await revokeApiToken(fixture, fixture.owner, apiToken.id)).toMatchObject({ id: apiToken.id });
    ended.close();
  });

  it('end at their expiry, also while they are remembered', async () => {
    const { token } = await newToken(fixture.owner, [], new Date(fixture.clock.nowMs() + 60_000));
    expect(await authenticator.authenticate(bearer(token))).toBeDefined();
    fixture.clock.advance(60_001);
    expect(await authenticator.authenticate(bearer(token))).toBeUndefined();
  });

  it('end with their user', async () => {
    const user = await fixture.addUser('admin');
    const { token } = await newToken(user);
    await fixture.database.pool.query('update users set disabled_at = now() where id = $1', [user.userId]);
    expect(await authenticator.authenticate(bearer(token))).toBeUndefined();
  });

  it('are not stored, and not recorded', async () => {
    const { token, apiToken } = await newToken(fixture.owner);
    const { rows } = await fixture.database.pool.query(
      `select (select json_agg(t) from api_tokens t)::text || (select json_agg(a) from audit_events a)::text as all`,
    );
    expect(rows[0].all).toContain(apiToken.id);
    expect(rows[0].all).not.toContain(token.slice(-48));
    expect(JSON.stringify(await listApiTokens(fixture, fixture.owner))).not.toContain(token.slice(-48));
  });

  it('have their last use written afterwards', async () => {
    const { token, apiToken } = await newToken(fixture.owner);
    const { database, clock, log } = fixture;
    const own = new Authenticator({ sql: database.pool, hub, clock, log, listening: () => true });
    await own.authenticate(bearer(token));
    const lastUse = async (): Promise<Date | null> =>
      (await database.pool.query('select last_used_at from api_tokens where id = $1', [apiToken.id])).rows[0]
        .last_used_at;
    expect(await lastUse()).toBeNull();
    await own.close();
    expect(await lastUse()).toBeInstanceOf(Date);
  });

  it('never open more than what asks for them', async () => {
    const admin = await fixture.addUser('admin');
    const narrowed = { ...admin, scopes: ['tokens:manage', 'calls:read'] };
    const codes = async (principal: Principal, scopes: readonly string[]): Promise<string[]> => {
      const outcome = await createApiToken(fixture, principal, { name: 'x', scopes });
      return outcome.ok ? [] : outcome.userErrors.map(({ code }) => code);
    };
    expect(await codes(narrowed, [])).toEqual(['REQUIRED']);
    expect(await codes(narrowed, ['webhooks:write'])).toEqual(['SCOPE_NOT_HELD']);
    expect(await codes(narrowed, ['calls:read'])).toEqual([]);
    expect(await codes(admin, ['nothing:here'])).toEqual(['UNKNOWN_SCOPE']);
    expect(await codes(admin, [])).toEqual([]);
  });

  it('are managed only by those who may', async () => {
    const editor = await fixture.addUser('editor');
    const admin = await fixture.addUser('admin');
    const { apiToken } = await newToken(fixture.owner);
    await expect(createApiToken(fixture, undefined, { name: 'x' })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await expect(createApiToken(fixture, editor, { name: 'x' })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(revokeApiToken(fixture, editor, apiToken.id)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(revokeApiToken(fixture, admin, apiToken.id)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(revokeApiToken(fixture, admin, fixture.owner.userId)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(listApiTokens(fixture, editor)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('need a name, and an expiry that lies ahead', async () => {
    const outcome = await createApiToken(fixture, fixture.owner, { name: ' ', expiresAt: new Date(0) });
    expect(outcome).toMatchObject({
      ok: false,
      userErrors: [
        { field: ['name'], code: 'REQUIRED' },
        { field: ['expiresAt'], code: 'IN_THE_PAST' },
      ],
    });
  });
});

describe('signing in', () => {
  const login = (): Promise<string> => loginTokenOf(fixture.database.pool, fixture.owner.userId);

  it('gives one session for one login token, however many ask at once', async () => {
    const { pool } = fixture.database;
    const loginToken = await login();
    const sessions = await Promise.all(Array.from({ length: 5 }, () => exchangeLoginToken(pool, loginToken)));
    const made = sessions.filter((session) => session !== undefined);
    expect(made).toHaveLength(1);
    const cookie = `theme=dark; ${SESSION_COOKIE}=${made[0]!.token}`;
    expect(await authenticator.authenticate({ cookie })).toMatchObject({
      userId: fixture.owner.userId,
      credential: { type: 'session' },
      scopes: [],
    });
    expect(await authenticator.authenticate({ sessionToken: made[0]!.token })).toBeDefined();
  });

  it('takes no unknown or expired login token, and none of a disabled user', async () => {
    const { pool } = fixture.database;
    expect(await exchangeLoginToken(pool, 'a'.repeat(43))).toBeUndefined();
    const expired = await login();
    await pool.query("update login_tokens set expires_at = now() - interval '1 second' where used_at is null");
    expect(await exchangeLoginToken(pool, expired)).toBeUndefined();
    const user = await fixture.addUser('viewer');
    const disabled = await loginTokenOf(pool, user.userId);
    await pool.query('update users set disabled_at = now() where id = $1', [user.userId]);
    expect(await exchangeLoginToken(pool, disabled)).toBeUndefined();
  });

  it('ends with signing out, in every process', async () => {
    const { pool } = fixture.database;
    const session = (await exchangeLoginToken(pool, await login()))!;
    const presented = { sessionToken: session.token };
    const principal = (await authenticator.authenticate(presented))!;
    const ended = hub.subscribe([topics.credentials]);
    await endSession(pool, session.token);
    expect((await ended[Symbol.asyncIterator]().next()).value).toEqual({
      kind: 'credential-ended',
      credentialId: principal.credential.id,
    });
    expect(await authenticator.authenticate(presented)).toBeUndefined();
    ended.close();
    const { rows } = await pool.query<{ entry: string }>(
      "select action || ' ' || credential as entry from audit_events where action like 'session.%' order by seq desc limit 2",
    );
    const credential = `session:${principal.credential.id}`;
    expect(rows.map(({ entry }) => entry)).toEqual([`session.ended ${credential}`, `session.started ${credential}`]);
  });

  it('is not confused by a planted cookie, a token in its place, or a wrong header beside it', async () => {
    const session = (await exchangeLoginToken(fixture.database.pool, await login()))!;
    const { token } = await newToken(fixture.owner);
    const cookie = `${SESSION_COOKIE}=${session.token}`;
    expect(
      await authenticator.authenticate({ cookie: `${SESSION_COOKIE}=${'x'.repeat(43)}; ${cookie}` }),
    ).toBeUndefined();
    expect(await authenticator.authenticate({ cookie: `${SESSION_COOKIE}=${token}` })).toBeUndefined();
    expect(await authenticator.authenticate(bearer(session.token))).toBeUndefined();
    expect(await authenticator.authenticate({ cookie, authorization: 'Bearer wrong' })).toBeUndefined();
    expect(await authenticator.authenticate({ cookie })).toBeDefined();
  });

  it('leaves nothing that is long over', async () => {
    const { pool } = fixture.database;
    await pool.query("update login_tokens set expires_at = now() - interval '2 days'");
    await pool.query("update sessions set revoked_at = now() - interval '31 days'");
    await removeEndedSessions(pool);
    const { rows } = await pool.query(
      'select (select count(*)::int from login_tokens) as logins, (select count(*)::int from sessions) as sessions',
    );
    expect(rows[0]).toEqual({ logins: 0, sessions: 0 });
  });
});
