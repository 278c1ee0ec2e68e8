import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { buildSchema, type GraphQLSchema } from 'graphql';
import { WebSocket } from 'ws';
import { revokeApiToken } from '../../../src/access/api-tokens.js';
import { SESSION_COOKIE } from '../../../src/access/session-cookie.js';
import type { LiveLimits } from '../../../src/graphql/live/live-options.js';
import { systemClock } from '../../../src/lib/clock.js';
import {
  addToken,
  type GraphqlProcess,
  type GraphqlProcessOptions,
  openGraphqlProcess,
  openKnownSocket,
  openSocket,
} from '../../support/graphql-process.js';
import { signIn } from '../../support/sign-in.js';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.js';

let testDatabase: TestDatabase;
let gateway: GraphqlProcess;
let owner: Awaited<ReturnType<typeof addToken>>;
const others: GraphqlProcess[] = [];

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  gateway = await openGraphqlProcess({ databaseUrl: testDatabase.url });
  owner = await addToken(gateway.database.pool, 'owner');
});

afterEach(async () => {
  for (const other of others.splice(0)) await other.close();
});

afterAll(async () => {
  await gateway.close();
  await testDatabase.drop();
});

async function openAnother(
  live: Partial<LiveLimits>,
  options: Partial<GraphqlProcessOptions> = {},
): Promise<GraphqlProcess> {
  const other = await openGraphqlProcess({ databaseUrl: testDatabase.url, live, ...options });
  others.push(other);
  return other;
}

/** What the server says to a handshake that it refuses. */
async function handshakeStatus(url: string): Promise<number | undefined> {
  const socket = new WebSocket(url, 'graphql-transport-ws');
  const status = await new Promise<number | undefined>((resolve) => {
    socket.on('unexpected-response', (_req, res) => {
      res.resume();
      resolve(res.statusCode);
    });
    socket.on('open', () => resolve(101));
    socket.on('error', () => undefined);
  });
  socket.terminate();
  return status;
}

/** A schema whose subscription gives a large text as often as it is asked for, and says when it is ended. */
function endlessSchema(textBytes: number): { schema: GraphQLSchema; asked: () => number; ended: Promise<void> } {
  const ended = Promise.withResolvers<void>();
  const text = 'x'.repeat(textBytes);
  let asked = 0;
  const schema = buildSchema('type Query { a: Int } type Subscription { text: String }');
  schema.getSubscriptionType()!.getFields()['text']!.subscribe = () => ({
    [Symbol.asyncIterator]: () => ({
      next: () => {
        asked += 1;
        return Promise.resolve({ done: false, value: { text } });
      },
      return: () => {
        ended.resolve();
        return Promise.resolve({ done: true, value: undefined });
      },
    }),
  });
  return { schema, asked: () => asked, ended: ended.promise };
}

describe('the way in', () => {
  it('is a token in connectionParams', async () => {
    const events = gateway.client(owner.token).iterate({ query: '{ viewer { role } }' });
    expect((await events.next()).value).toEqual({
      data: { viewer: { role: 'OWNER' } },
      extensions: { cost: { requested: 2, maximum: 10_000 } },
    });
  });

  it("is a browser's session cookie, from our own pages", async () => {
    const { pool } = gateway.database;
    const session = await signIn(pool, owner.userId);
    const raw = openSocket(gateway.socketUrl, {
      headers: { Cookie: `${SESSION_COOKIE}=${session.token}`, Origin: new URL(gateway.url).origin },
    });
    await raw.opened;
    raw.send({ type: 'connection_init' });
    expect((await raw.next()).type).toBe('connection_ack');
    raw.socket.terminate();
  });

  it('is closed to foreign pages, also with a cookie: 4403', async () => {
    const { pool } = gateway.database;
    const session = await signIn(pool, owner.userId);
    for (const Origin of ['https://evil.example', 'null']) {
      const headers = { Cookie: `${SESSION_COOKIE}=${session.token}`, Origin };
      const { code, reason } = await openSocket(gateway.socketUrl, { headers }).closed;
      expect([Origin, code, reason]).toEqual([Origin, 4403, 'Foreign origin']);
    }
  });

  it('needs credentials that open something: 4401', async () => {
    const wrong = { authorization: `Bearer ${'x'.repeat(40)}` };
    const cases = [
      [{ type: 'connection_init' }, 4401],
      [{ type: 'connection_init', payload: wrong }, 4401],
      [{ type: 'connection_init', payload: { authorization: { token: 'x' } } }, 4401],
      [{ type: 'subscribe', id: '1', payload: { query: '{ version }' } }, 4401],
      [{ type: 'nonsense' }, 4400],
    ] as const;
    for (const [message, code] of cases) {
      const raw = openSocket(gateway.socketUrl);
      await raw.opened;
      raw.send(message);
      expect([message, (await raw.closed).code]).toEqual([message, code]);
    }
  });

  it('is not open for long to who says nothing: 4408', async () => {
    const { socketUrl } = await openAnother({ initTimeoutMs: 30 });
    expect((await openSocket(socketUrl).closed).code).toBe(4408);
  });

  it('needs the subprotocol: 4406', async () => {
    const socket = new WebSocket(gateway.socketUrl);
    const code = await new Promise((resolve) => socket.on('close', resolve));
    expect(code).toBe(4406);
  });

  it('is initialised once: 4429', async () => {
    const raw = await openKnownSocket(gateway.socketUrl, owner.token);
    raw.send({ type: 'connection_init', payload: { authorization: `Bearer ${owner.token}` } });
    expect((await raw.closed).code).toBe(4429);
  });

  it('has one operation under one id: 4409', async () => {
    const raw = await openKnownSocket(gateway.socketUrl, owner.token);
    const subscribe = { type: 'subscribe', id: 'same', payload: { query: 'subscription { callReceived { id } }' } };
    raw.send(subscribe);
    raw.send(subscribe);
    expect((await raw.closed).code).toBe(4409);
  });

  it('takes so many sockets of a user and no more: 4430', async () => {
    const { socketUrl } = await openAnother({ connectionsPerUserMax: 2 });
    const first = [await openKnownSocket(socketUrl, owner.token), await openKnownSocket(socketUrl, owner.token)];
    const third = openSocket(socketUrl);
    await third.opened;
    third.send({ type: 'connection_init', payload: { authorization: `Bearer ${owner.token}` } });
    expect((await third.closed).code).toBe(4430);
    const somebody = await addToken(gateway.database.pool, 'viewer');
    first.push(await openKnownSocket(socketUrl, somebody.token));
    for (const { socket } of first) socket.terminate();
  });

  it('takes so many sockets in all and no more: 503', async () => {
    const { socketUrl } = await openAnother({ connectionsMax: 1 });
    const raw = await openKnownSocket(socketUrl, owner.token);
    expect(await handshakeStatus(socketUrl)).toBe(503);
    raw.socket.terminate();
  });
});

describe('operations', () => {
  it.each([
    ['COST_LIMIT_EXCEEDED', `{ ${Array.from({ length: 31 }, (_, i) => `a${i}: version`).join(' ')} }`],
    ['COST_LIMIT_EXCEEDED', '{ webhooks(first: 100) { nodes { calls(first: 100) { nodes { id } } } } }'],
    ['COST_LIMIT_EXCEEDED', `{ ${'version '.repeat(2_001)} }`],
    ['GRAPHQL_VALIDATION_FAILED', '{ __schema { types { name } } }'],
    ['GRAPHQL_VALIDATION_FAILED', '{ versio }'],
    ['GRAPHQL_PARSE_FAILED', '{'],
  ])('are refused as over HTTP: %s', async (code, query) => {
    const raw = await openKnownSocket(gateway.socketUrl, owner.token);
    raw.send({ type: 'subscribe', id: '1', payload: { query } });
    const { type, payload } = await raw.next();
    expect(type).toBe('error');
    expect((payload as { extensions: object }[])[0]!.extensions).toEqual({ code, requestId: expect.any(String) });
    expect(JSON.stringify(payload)).not.toContain('Did you mean');
    raw.socket.terminate();
  });

  it('are authorised as over HTTP', async () => {
    const narrowed = await addToken(gateway.database.pool, 'owner', ['webhooks:read']);
    const raw = await openKnownSocket(gateway.socketUrl, narrowed.token);
    for (const query of ['subscription { callReceived { id } }', '{ calls { totalCount } }']) {
      raw.send({ type: 'subscribe', id: query, payload: { query } });
      const { type, payload } = await raw.next();
      expect(type).toBe('next');
      const { errors } = payload as { errors: { extensions: { code: string } }[] };
      expect(errors[0]!.extensions.code).toBe('FORBIDDEN');
      expect((await raw.next()).type).toBe('complete');
    }
    raw.socket.terminate();
  });

  it('are so many at a time on a socket, under whatever ids', async () => {
    const { socketUrl } = await openAnother({ operationsPerSocketMax: 2 });
    const raw = await openKnownSocket(socketUrl, owner.token);
    const query = 'subscription { statisticsUpdated { total } }';
    for (const id of ['1', '2']) {
      raw.send({ type: 'subscribe', id, payload: { query } });
      expect((await raw.next()).type).toBe('next');
    }
    raw.send({ type: 'subscribe', id: '3', payload: { query } });
    expect(await raw.next()).toMatchObject({
      type: 'error',
      id: '3',
      payload: [{ extensions: { code: 'COST_LIMIT_EXCEEDED' } }],
    });
    raw.send({ type: 'complete', id: '1' });
    raw.send({ type: 'subscribe', id: '4', payload: { query } });
    expect(await raw.next()).toMatchObject({ type: 'next', id: '4' });
    raw.socket.terminate();
  });

  it('come in messages of a mebibyte at most: 1009', async () => {
    const raw = await openKnownSocket(gateway.socketUrl, owner.token);
    raw.send({ type: 'ping', payload: { text: 'x'.repeat(1_048_576) } });
    expect((await raw.closed).code).toBe(1009);
  });
});

describe('credentials that end', () => {
  it('close their sockets at once, in every process', async () => {
    const other = await openAnother({ recheckMs: 3_600_000 });
    const admin = await addToken(gateway.database.pool, 'admin');
    const sockets = [
      await openKnownSocket(gateway.socketUrl, admin.token),
      await openKnownSocket(other.socketUrl, admin.token),
    ];
    const bystander = await openKnownSocket(other.socketUrl, owner.token);
    const principal = {
      userId: admin.userId,
      role: 'admin',
      credential: { type: 'api-token', id: admin.tokenId },
      scopes: [],
    } as const;
    await revokeApiToken({ database: gateway.database, clock: systemClock }, principal, admin.tokenId);
    for (const { closed } of sockets) expect((await closed).code).toBe(4403);
    expect(bystander.socket.readyState).toBe(WebSocket.OPEN);
    bystander.socket.terminate();
  });

  it('close their sockets also when no event comes', async () => {
    const deaf = await openAnother({ recheckMs: 50 }, { deaf: true });
    const viewer = await addToken(gateway.database.pool, 'viewer');
    const raw = await openKnownSocket(deaf.socketUrl, viewer.token);
    await gateway.database.pool.query('update api_tokens set revoked_at = now() where id = $1', [viewer.tokenId]);
    expect((await raw.closed).code).toBe(4403);
  });

  it('close their sockets when they open less than before', async () => {
    const deaf = await openAnother({ recheckMs: 50 }, { deaf: true });
    const admin = await addToken(gateway.database.pool, 'admin');
    const raw = await openKnownSocket(deaf.socketUrl, admin.token);
    await gateway.database.pool.query("update users set role = 'viewer' where id = $1", [admin.userId]);
    expect((await raw.closed).code).toBe(4403);
  });
});

describe('clients that are slow, dead or gone', () => {
  it('are asked for no more events than they read', async () => {
    const endless = endlessSchema(262_144);
    const other = await openAnother({}, { schema: endless.schema });
    const raw = await openKnownSocket(other.socketUrl, owner.token);
    raw.socket.pause();
    raw.send({ type: 'subscribe', id: '1', payload: { query: 'subscription { text }' } });
    // A second socket's answers come after the first one's events would have, were there no end to them.
    const second = await openKnownSocket(other.socketUrl, owner.token);
    for (let round = 0; round < 200; round += 1) {
      second.send({ type: 'ping' });
      expect((await second.next()).type).toBe('pong');
    }
    expect(endless.asked()).toBeGreaterThan(0);
    expect(endless.asked()).toBeLessThan(100);
    raw.socket.terminate();
    second.socket.terminate();
    await endless.ended;
  });

  it('are closed when too much waits for them', async () => {
    const endless = endlessSchema(1_048_576);
    const other = await openAnother({ bufferedBytesMax: 2_097_152, closeMs: 20 }, { schema: endless.schema });
    const raw = await openKnownSocket(other.socketUrl, owner.token);
    raw.socket.pause();
    for (let id = 0; id < 50; id += 1) {
      raw.send({ type: 'subscribe', id: String(id), payload: { query: 'subscription { text }' } });
    }
    await endless.ended;
    raw.socket.resume();
    await raw.closed;
  });

  it('are cut when they answer no ping', async () => {
    const other = await openAnother({ pingMs: 250 });
    const dead = openSocket(other.socketUrl, { autoPong: false });
    await dead.opened;
    dead.send({ type: 'connection_init', payload: { authorization: `Bearer ${owner.token}` } });
    const living = await openKnownSocket(other.socketUrl, owner.token);
    expect((await dead.closed).code).toBe(1006);
    expect(living.socket.readyState).toBe(WebSocket.OPEN);
    living.socket.terminate();
  });

  it('leave no iterator behind, also under an id that was used twice', async () => {
    const opened: AsyncIterator<unknown>[] = [];
    const ended: AsyncIterator<unknown>[] = [];
    const gates: (() => void)[] = [];
    const allEnded = Promise.withResolvers<void>();
    const schema = buildSchema('type Query { a: Int } type Subscription { never: Int }');
    schema.getSubscriptionType()!.getFields()['never']!.subscribe = async () => {
      await new Promise<void>((resolve) => gates.push(resolve));
      const iterator: AsyncIterator<unknown> = {
        next: () => new Promise(() => undefined),
        return: () => {
          ended.push(iterator);
          if (ended.length === 2) allEnded.resolve();
          return Promise.resolve({ done: true, value: undefined });
        },
      };
      opened.push(iterator);
      return { [Symbol.asyncIterator]: () => iterator };
    };
    const other = await openAnother({}, { schema });
    const raw = await openKnownSocket(other.socketUrl, owner.token);
    const subscribe = { type: 'subscribe', id: '1', payload: { query: 'subscription { never }' } };
    raw.send(subscribe);
    raw.send({ type: 'complete', id: '1' });
    raw.send(subscribe);
    raw.send({ type: 'ping' });
    expect((await raw.next()).type).toBe('pong');
    for (const open of gates) open();
    raw.send({ type: 'ping' });
    expect((await raw.next()).type).toBe('pong');
    expect(opened).toHaveLength(2);
    raw.socket.terminate();
    await allEnded.promise;
    expect(new Set(ended)).toEqual(new Set(opened));
  });
});

describe('a process that stops', () => {
  it('closes its sockets with 1001 and takes no more', async () => {
    const other = await openAnother({});
    const raw = await openKnownSocket(other.socketUrl, owner.token);
    const draining = other.drain();
    expect((await raw.closed).code).toBe(1001);
    await draining;
    expect(await handshakeStatus(other.socketUrl)).toBe(503);
    expect((await other.post('{ version }', { token: owner.token })).status).toBe(200);
  });

  it('cuts a socket that does not answer', async () => {
    const other = await openAnother({ closeMs: 20 });
    const raw = await openKnownSocket(other.socketUrl, owner.token);
    raw.socket.pause();
    await other.drain();
    raw.socket.terminate();
  });
});
