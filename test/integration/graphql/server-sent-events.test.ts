import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { buildSchema, type GraphQLSchema } from 'graphql';
import { type Client, createClient } from 'graphql-sse';
import { revokeApiToken } from '../../../src/access/api-tokens.js';
import { SESSION_COOKIE } from '../../../src/access/session-cookie.js';
import type { LiveLimits } from '../../../src/graphql/live/live-options.js';
import { systemClock } from '../../../src/lib/clock.js';
import { formatId } from '../../../src/lib/ids.js';
import { asJsonText } from '../../../src/lib/json-text.js';
import { type ExecutionFixture, openExecutionFixture, signal } from '../../support/execution-fixture.js';
import {
  addToken,
  type GraphqlProcess,
  type GraphqlProcessOptions,
  openGraphqlProcess,
  openKnownSocket,
} from '../../support/graphql-process.js';
import { signIn } from '../../support/sign-in.js';
import { subscribers } from '../../support/hub-subscribers.js';

let fixture: ExecutionFixture;
let gateway: GraphqlProcess;
let owner: Awaited<ReturnType<typeof addToken>>;
const others: GraphqlProcess[] = [];
const clients: Client[] = [];

beforeAll(async () => {
  fixture = await openExecutionFixture();
  gateway = await openGraphqlProcess({ databaseUrl: fixture.url });
  owner = await addToken(gateway.database.pool, 'owner');
  await fixture.startRunner();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.dispose();
  for (const other of others.splice(0)) await other.close();
});

afterAll(async () => {
  await gateway.close();
  await fixture.close();
});

async function openAnother(
  live: Partial<LiveLimits>,
  options: Partial<GraphqlProcessOptions> = {},
): Promise<GraphqlProcess> {
  const other = await openGraphqlProcess({ databaseUrl: fixture.url, live, ...options });
  others.push(other);
  return other;
}

/** graphql-sse's own client, which never connects again by itself. */
function clientOf({ url }: GraphqlProcess, token: string): Client {
  const client = createClient({ url, retryAttempts: 0, headers: { Authorization: `Bearer ${token}` } });
  clients.push(client);
  return client;
}

async function* values<T>(client: Client, query: string, variables = {}): AsyncGenerator<T, void> {
  for await (const { data, errors } of client.iterate<Record<string, T>>({ query, variables })) {
    if (errors !== undefined) throw new Error(errors.map(({ extensions }) => String(extensions['code'])).join());
    yield Object.values(data!)[0]!;
  }
}

async function take<T>(items: AsyncIterator<T, unknown>): Promise<T> {
  const { done, value } = await items.next();
  if (done === true) throw new Error('the subscription has ended');
  return value;
}

/** POSTs as a program would that has no library; the response's body may go on for ever. */
async function post(
  { url }: GraphqlProcess,
  body: unknown,
  headers: Record<string, string> = { Authorization: `Bearer ${owner.token}` },
): Promise<Response> {
  return await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

const CALLS = 'subscription { callReceived { id } }';

/** Opens a stream that has nothing to say yet; the head of the response says that it is there. */
async function openStream(process: GraphqlProcess, token = owner.token): Promise<Response> {
  const response = await post(process, { query: CALLS }, { Authorization: `Bearer ${token}` });
  expect(response.status).toBe(200);
  return response;
}

const codeOf = async (response: Response): Promise<unknown> => {
  const { errors } = (await response.json()) as { errors: { extensions: { code: string; requestId: string } }[] };
  expect(errors[0]!.extensions.requestId).toMatch(/./);
  return errors[0]!.extensions.code;
};

describe('subscriptions over server-sent events', () => {
  const EVENTS = `subscription($id: ID!, $after: String) {
    executionEvents(executionId: $id, after: $after) { cursor seq ... on ExecutionStatusChanged { status } } }`;

  interface EventNode {
    readonly cursor: string;
    readonly seq: number;
    readonly status: string;
  }

  it('tell what happens to an execution to its end, and go on behind a cursor without a gap or repeat', async () => {
    const release = signal();
    await fixture.addWorker('worker-sse', async () => {
      await release.given;
      return { result: asJsonText('1') };
    });
    const { callId, executionIds } = await fixture.store(['worker-sse']);
    const id = formatId('execution', executionIds[0]!);
    const client = clientOf(gateway, owner.token);
    const first = values<EventNode>(client, EVENTS, { id });
    const seen = [await take(first)];
    await first.return();
    release.give();
    await fixture.end(callId);
    for await (const event of values<EventNode>(client, EVENTS, { id, after: seen[0]!.cursor })) seen.push(event);
    expect(seen.map(({ seq, status }) => [seq, status])).toEqual([
      [1, 'QUEUED'],
      [2, 'RUNNING'],
      [3, 'SUCCEEDED'],
    ]);
  });

  it('tell of calls as they come', async () => {
    const listening = subscribers(gateway).reach(1);
    const calls = values<{ id: string }>(clientOf(gateway, owner.token), CALLS);
    const next = take(calls);
    await listening;
    const { callId } = await fixture.store([]);
    expect((await next).id).toBe(formatId('call', callId));
    await calls.return();
  });

  it('are one way to run other operations, too', async () => {
    const results = clientOf(gateway, owner.token).iterate({ query: '{ viewer { role } }' });
    expect((await results.next()).value).toEqual({
      data: { viewer: { role: 'OWNER' } },
      extensions: { cost: { requested: 2, maximum: 10_000 } },
    });
    expect((await results.next()).done).toBe(true);
  });

  it('are not cached or compressed on the way, and begin at once', async () => {
    const response = await openStream(gateway);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
      'x-request-id': expect.any(String),
    });
    const reader = response.body!.getReader();
    const { value } = await reader.read();
    expect(new TextDecoder().decode(value)).toBe(':\n\n');
    await reader.cancel();
  });
});

describe('what opens a stream', () => {
  it("is a token or a browser's session cookie from our own pages, and nothing else", async () => {
    const { pool } = gateway.database;
    const session = await signIn(pool, owner.userId);
    const Cookie = `${SESSION_COOKIE}=${session.token}`;
    const { origin } = new URL(gateway.url);
    const cases: [number, Record<string, string>][] = [
      [200, { Cookie }],
      [200, { Cookie, Origin: origin }],
      [403, { Cookie, Origin: 'https://evil.example' }],
      [403, { Cookie, Origin: 'null' }],
      [401, {}],
      [401, { Cookie: `${SESSION_COOKIE}=wrong` }],
      [401, { Authorization: `Bearer ${'x'.repeat(40)}` }],
      [401, { Cookie, Authorization: `Bearer ${'x'.repeat(40)}` }],
    ];
    for (const [status, headers] of cases) {
      const response = await post(gateway, { query: CALLS }, headers);
      expect([headers, response.status]).toEqual([headers, status]);
      if (status === 200) await response.body!.cancel();
      else expect(await codeOf(response)).toBe(status === 401 ? 'UNAUTHENTICATED' : 'FORBIDDEN');
    }
  });

  it('is what a foreign page cannot send without asking: a POST of JSON', async () => {
    const authorization = { Authorization: `Bearer ${owner.token}` };
    const query = encodeURIComponent(CALLS);
    const get = await fetch(`${gateway.url}?query=${query}`, {
      headers: { Accept: 'text/event-stream', ...authorization },
    });
    expect([get.status, get.headers.get('allow'), await codeOf(get)]).toEqual([405, 'POST', 'BAD_USER_INPUT']);
    const text = await post(gateway, { query: CALLS }, { ...authorization, 'Content-Type': 'text/plain' });
    expect([text.status, await codeOf(text)]).toEqual([415, 'BAD_USER_INPUT']);
  });

  it.each([
    [400, '{'],
    [400, '[]'],
    [400, '{}'],
    [400, '{"query":1}'],
    [400, '{"query":"{ version }","variables":[]}'],
    [400, '{"query":"{ version }","operationName":1}'],
    [413, JSON.stringify({ query: 'x'.repeat(1_048_576) })],
  ])('is well-formed: %d', async (status, body) => {
    const response = await post(gateway, body);
    expect([response.status, await codeOf(response)]).toEqual([status, 'BAD_USER_INPUT']);
  });

  it('is there for JSON as it always was', async () => {
    for (const accept of ['application/json', '*/*', 'application/json, text/event-stream']) {
      const response = await post(
        gateway,
        { query: '{ version }' },
        { Authorization: `Bearer ${owner.token}`, Accept: accept },
      );
      expect(response.headers.get('content-type')).toContain('json');
      expect(await response.json()).toMatchObject({ data: { version: '0.0.0-test' } });
    }
  });
});

describe('limits', () => {
  it.each([
    ['COST_LIMIT_EXCEEDED', '{ webhooks(first: 100) { nodes { calls(first: 100) { nodes { id } } } } }'],
    ['COST_LIMIT_EXCEEDED', `{ ${'version '.repeat(2_001)} }`],
    ['GRAPHQL_VALIDATION_FAILED', '{ __schema { types { name } } }'],
    ['GRAPHQL_VALIDATION_FAILED', 'subscription { callReceive { id } }'],
    ['GRAPHQL_PARSE_FAILED', '{'],
    ['BAD_USER_INPUT', 'subscription { callReceived(webhookId: "wh_1") { id } }'],
  ])('are those of the other transports: %s', async (code, query) => {
    const results = clientOf(gateway, owner.token).iterate({ query });
    const { value } = await results.next();
    expect(value.errors[0].extensions).toEqual({ code, requestId: expect.any(String) });
    expect(JSON.stringify(value)).not.toContain('Did you mean');
    expect((await results.next()).done).toBe(true);
  });

  it('are so many connections of a user, WebSockets counted: 429', async () => {
    const other = await openAnother({ connectionsPerUserMax: 2 });
    const raw = await openKnownSocket(other.socketUrl, owner.token);
    const stream = await openStream(other);
    const third = await post(other, { query: CALLS });
    expect([third.status, third.headers.get('retry-after')]).toEqual([429, '2']);
    expect(await codeOf(third)).toBe('RATE_LIMITED');
    const somebody = await addToken(gateway.database.pool, 'viewer');
    const theirs = await openStream(other, somebody.token);
    for (const { body } of [stream, theirs]) await body!.cancel();
    raw.socket.terminate();
  });

  it('are so many connections in all: 503', async () => {
    const other = await openAnother({ connectionsMax: 1 });
    const stream = await openStream(other);
    expect((await post(other, { query: CALLS })).status).toBe(503);
    await stream.body!.cancel();
  });

  it('are the permissions of who asks', async () => {
    const { token } = await addToken(gateway.database.pool, 'owner', ['webhooks:read']);
    await expect(take(values(clientOf(gateway, token), CALLS))).rejects.toThrow('FORBIDDEN');
  });
});

describe('credentials that end', () => {
  /** Waits for the end of a stream: `complete` when the server said that there is no more, `cut` when it did not. */
  async function endOf(response: Response): Promise<'complete' | 'cut'> {
    return (await response.text()).includes('event: complete') ? 'complete' : 'cut';
  }

  it('end their streams at once, in every process, and open no other', async () => {
    const other = await openAnother({ recheckMs: 3_600_000 });
    const admin = await addToken(gateway.database.pool, 'admin');
    const streams = [await openStream(gateway, admin.token), await openStream(other, admin.token)];
    const bystander = await openStream(other);
    const principal = {
      userId: admin.userId,
      role: 'admin',
      credential: { type: 'api-token', id: admin.tokenId },
      scopes: [],
    } as const;
    const { promise: connected, resolve } = Promise.withResolvers<void>();
    const refused = clientOf(other, admin.token)
      .iterate({ query: CALLS }, { connected: () => resolve() })
      .next();
    await connected;
    await revokeApiToken({ database: gateway.database, clock: systemClock }, principal, admin.tokenId);
    for (const stream of streams) expect(await endOf(stream)).toBe('cut');
    await expect(refused).rejects.toThrow('Connection closed');
    expect((await post(other, { query: CALLS }, { Authorization: `Bearer ${admin.token}` })).status).toBe(401);
    await bystander.body!.cancel();
  });

  it('end them also when no event comes, or when they open less than before', async () => {
    const deaf = await openAnother({ recheckMs: 50 }, { deaf: true });
    const viewer = await addToken(gateway.database.pool, 'viewer');
    const admin = await addToken(gateway.database.pool, 'admin');
    const streams = [await openStream(deaf, viewer.token), await openStream(deaf, admin.token)];
    await gateway.database.pool.query('update api_tokens set revoked_at = now() where id = $1', [viewer.tokenId]);
    await gateway.database.pool.query("update users set role = 'viewer' where id = $1", [admin.userId]);
    for (const stream of streams) expect(await endOf(stream)).toBe('cut');
  });

  it('of a process that stops: streams end without a word of completion, and no more are let in', async () => {
    const other = await openAnother({});
    const stream = await openStream(other);
    const { promise: connected, resolve } = Promise.withResolvers<void>();
    const next = clientOf(other, owner.token)
      .iterate({ query: CALLS }, { connected: () => resolve() })
      .next();
    await connected;
    const draining = other.drain();
    expect(await endOf(stream)).toBe('cut');
    await expect(next).rejects.toThrow('Connection closed');
    await draining;
    expect((await post(other, { query: CALLS })).status).toBe(503);
    expect((await other.post('{ version }', { token: owner.token })).status).toBe(200);
  });
});

describe('clients that are slow or gone', () => {
  it('are asked for no more events than they read, and are cut when they read nothing', async () => {
    const endless = endlessSchema(262_144);
    const other = await openAnother({ pingMs: 100 }, { schema: endless.schema });
    const response = await post(other, { query: 'subscription { text }' });
    expect(response.status).toBe(200);
    await endless.ended; // two pings later: nobody has read
    expect(endless.asked()).toBeGreaterThan(0);
    expect(endless.asked()).toBeLessThan(200);
    await expect(response.text()).rejects.toThrow();
  });

  it('leave no iterator behind', async () => {
    const endless = endlessSchema(10, true);
    const other = await openAnother({}, { schema: endless.schema });
    const response = await post(other, { query: 'subscription { text }' });
    await response.body!.cancel();
    await endless.ended;
    const open = subscribers(gateway);
    const stream = await openStream(gateway);
    expect(open.now()).toBe(1);
    await stream.body!.cancel();
    await open.reach(0);
  });
});

/** A schema whose subscription gives a text as often as it is asked for, or never, and says when it is ended. */
function endlessSchema(
  textBytes: number,
  silent = false,
): { schema: GraphQLSchema; asked: () => number; ended: Promise<void> } {
  const ended = Promise.withResolvers<void>();
  const text = 'x'.repeat(textBytes);
  let asked = 0;
  const schema = buildSchema('type Query { a: Int } type Subscription { text: String }');
  schema.getSubscriptionType()!.getFields()['text']!.subscribe = () => ({
    [Symbol.asyncIterator]: () => ({
      next: () => {
        asked += 1;
        return silent ? new Promise(() => undefined) : Promise.resolve({ done: false, value: { text } });
      },
      return: () => {
        ended.resolve();
        return Promise.resolve({ done: true, value: undefined });
      },
    }),
  });
  return { schema, asked: () => asked, ended: ended.promise };
}
