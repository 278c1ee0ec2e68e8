import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SESSION_COOKIE } from '../../../src/access/session-cookie.js';
import { addToken, type GraphqlProcess, openGraphqlProcess, readAnswer } from '../../support/graphql-process.js';
import { signIn } from '../../support/sign-in.js';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.js';

let testDatabase: TestDatabase;
let gateway: GraphqlProcess;
let owner: { readonly token: string; readonly tokenId: string; readonly userId: string };

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  gateway = await openGraphqlProcess({ databaseUrl: testDatabase.url });
  owner = await addToken(gateway.database.pool, 'owner');
});

afterAll(async () => {
  await gateway.close();
  await testDatabase.drop();
});

const send = async (init: RequestInit, search = ''): Promise<Awaited<ReturnType<typeof readAnswer>>> =>
  await readAnswer(await fetch(`${gateway.url}${search}`, init));

const json = { 'Content-Type': 'application/json' };

describe('who calls', () => {
  it('is the owner of the token', async () => {
    const { status, data, headers } = await gateway.post('{ viewer { role } version }', { token: owner.token });
    expect(status).toBe(200);
    expect(data).toEqual({ viewer: { role: 'OWNER' }, version: '0.0.0-test' });
    expect(headers.get('cache-control')).toBe('no-store');
  });

  it('is nobody without a token: 401, and nothing is told', async () => {
    const answer = await gateway.post('{ version }');
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="workhook"');
    expect(answer.data ?? null).toBeNull();
    expect(answer.errors).toEqual([
      expect.objectContaining({ extensions: { code: 'UNAUTHENTICATED', requestId: expect.any(String) } }),
    ]);
  });

  it('is nobody with a token that is not one', async () => {
    const { status, errors } = await gateway.post('{ version }', { token: `${owner.token.slice(0, -4)}AAAA` });
    expect([status, errors![0]!.extensions.code]).toEqual([401, 'UNAUTHENTICATED']);
  });

  it('is somebody who may not do everything', async () => {
    const viewer = await addToken(gateway.database.pool, 'viewer');
    const narrowed = await addToken(gateway.database.pool, 'owner', ['calls:read']);
    const query = '{ webhooks { totalCount } }';
    expect((await gateway.post(query, { token: viewer.token })).errors).toBeUndefined();
    const refused = await gateway.post(query, { token: narrowed.token });
    expect([refused.status, refused.errors![0]!.extensions.code]).toEqual([200, 'FORBIDDEN']);
    const mutation = 'mutation { setRateLimit(input: { scope: GLOBAL, perMinute: 1 }) { userErrors { message } } }';
    const { errors } = await gateway.post(mutation, { token: viewer.token });
    expect(errors![0]!.extensions.code).toBe('FORBIDDEN');
  });

  it('is who signed in, by the cookie', async () => {
    const { pool } = gateway.database;
    const session = await signIn(pool, owner.userId);
    const { data } = await gateway.post('{ viewer { role } }', {
      headers: { Cookie: `${SESSION_COOKIE}=${session.token}` },
    });
    expect(data).toEqual({ viewer: { role: 'OWNER' } });
  });

  it('is not who looks at a page of somebody else, though the browser sends the cookie; a token works anywhere', async () => {
    const { pool } = gateway.database;
    const session = await signIn(pool, owner.userId);
    const Cookie = `${SESSION_COOKIE}=${session.token}`;
    const ask = async (headers: Record<string, string>): Promise<[number, string | undefined]> => {
      const { status, errors } = await gateway.post('{ viewer { role } }', { headers });
      return [status, errors?.[0]!.extensions.code];
    };
    expect(await ask({ Cookie, Origin: new URL(gateway.url).origin })).toEqual([200, undefined]);
    for (const Origin of ['https://evil.example', 'null']) {
      expect(await ask({ Cookie, Origin })).toEqual([403, 'FORBIDDEN']);
      expect(await ask({ Authorization: `Bearer ${owner.token}`, Origin })).toEqual([200, undefined]);
    }
  });
});

describe('errors', () => {
  it("carry the caller's request id and a code", async () => {
    const { errors, status, headers } = await gateway.post('{ webhook(id: "nonsense") { id } }', {
      token: owner.token,
      headers: { 'X-Request-Id': 'from-the-caller' },
    });
    expect(status).toBe(200);
    expect(headers.get('x-request-id')).toBe('from-the-caller');
    expect(errors).toHaveLength(1);
    expect(errors![0]!.extensions.requestId).toBe('from-the-caller');
  });

  it('carry it when no operation was found either', async () => {
    for (const body of ['{', '[]', '{}', '{"query": 1}', '"text"']) {
      const answer = await send({ method: 'POST', body, headers: { ...json, 'X-Request-Id': 'r-1' } });
      expect([body, answer.status]).toEqual([body, 400]);
      expect(answer.errors![0]!.extensions).toEqual({ code: 'BAD_USER_INPUT', requestId: 'r-1' });
    }
  });

  it('say nothing of what the schema has besides', async () => {
    const { status, errors } = await gateway.post('{ webhoks { totalCount } }', { token: owner.token });
    expect(status).toBe(400);
    expect(errors![0]!.extensions.code).toBe('GRAPHQL_VALIDATION_FAILED');
    expect(JSON.stringify(errors)).not.toContain('Did you mean');
    const introspection = await gateway.post('{ __schema { types { name } } }', { token: owner.token });
    expect(introspection.errors![0]!.extensions.code).toBe('GRAPHQL_VALIDATION_FAILED');
    expect(introspection.data).toBeUndefined();
  });

  it('call a wrong variable the caller’s mistake', async () => {
    const { status, errors } = await gateway.post('query($n: Int) { webhooks(first: $n) { totalCount } }', {
      token: owner.token,
      variables: { n: 'many' },
    });
    expect([status, errors![0]!.extensions.code]).toEqual([400, 'BAD_USER_INPUT']);
  });
});

describe('what a request may be', () => {
  const body = JSON.stringify({ query: '{ version }' });
  const authorization = (): Record<string, string> => ({ Authorization: `Bearer ${owner.token}` });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data'])(
    'refuses %s, which a foreign page could send',
    async (type) => {
      const answer = await send({ method: 'POST', body, headers: { 'Content-Type': type, ...authorization() } });
      expect(answer.status).toBe(400);
      expect(answer.errors![0]!.message).toContain('CSRF');
    },
  );

  it('refuses a query in the URL that a foreign page could send, and takes it from a program', async () => {
    const search = '?query=%7Bversion%7D';
    expect((await send({ headers: authorization() }, search)).status).toBe(400);
    const answer = await send({ headers: { ...authorization(), 'apollo-require-preflight': '1' } }, search);
    expect([answer.status, answer.data]).toEqual([200, { version: '0.0.0-test' }]);
  });

  it('refuses a mutation in the URL', async () => {
    const query = 'mutation{revokeApiToken(input:{id:"token-0"}){userErrors{message}}}';
    const headers = { ...authorization(), 'apollo-require-preflight': '1' };
    const answer = await send({ headers }, `?query=${encodeURIComponent(query)}`);
    expect([answer.status, answer.errors![0]!.extensions.code]).toEqual([405, 'BAD_USER_INPUT']);
  });

  it('refuses several operations in one request', async () => {
    const answer = await send({ method: 'POST', body: `[${body},${body}]`, headers: { ...json, ...authorization() } });
    expect(answer.status).toBe(400);
    expect(answer.errors![0]!.message).toContain('batching');
  });

  it('refuses a subscription: those need a WebSocket', async () => {
    const { errors, status } = await gateway.post('subscription { callReceived { id } }', { token: owner.token });
    expect(status).toBe(400);
    expect(errors).toHaveLength(1);
  });

  it('takes a mebibyte and not more', async () => {
    const sized = (bytes: number): string => body.padEnd(bytes, ' ');
    const headers = { ...json, ...authorization() };
    expect((await send({ method: 'POST', body: sized(1_048_576), headers })).data).toEqual({ version: '0.0.0-test' });
    const answer = await send({ method: 'POST', body: sized(1_048_577), headers });
    expect([answer.status, answer.errors![0]!.extensions.code]).toEqual([413, 'BAD_USER_INPUT']);
  });
});

describe('limits', () => {
  it.each([
    ['aliases', `{ ${Array.from({ length: 31 }, (_, i) => `a${i}: version`).join(' ')} }`],
    ['levels', `{ webhooks { nodes { ${'workers { webhooks { nodes { '.repeat(4)} id ${'} } } '.repeat(4)} } } }`],
    ['tokens', `{ ${'version '.repeat(2_001)} }`],
    ['cost', '{ webhooks(first: 100) { nodes { calls(first: 100) { nodes { id } } } } }'],
  ])('refuse too many %s before anything runs', async (_, query) => {
    const { status, errors, data } = await gateway.post(query, { token: owner.token });
    expect(errors![0]!.extensions.code).toBe('COST_LIMIT_EXCEEDED');
    expect(status).toBe(400);
    expect(data).toBeUndefined();
  });

  it('tell what an operation cost', async () => {
    const { extensions } = await gateway.post('{ version }', { token: owner.token });
    expect(extensions).toEqual({ cost: { requested: 1, maximum: 10_000 } });
  });

  it('tell it over WebSocket, too', async () => {
    const results = gateway.client(owner.token).iterate({ query: '{ viewer { id } }' });
    const { value } = await results.next();
    expect((value as { extensions?: unknown }).extensions).toEqual({ cost: { requested: 2, maximum: 10_000 } });
  });
});

describe('in development', () => {
  it('answers for its schema, and suggests', async () => {
    const open = await openGraphqlProcess({ databaseUrl: testDatabase.url, introspection: true, production: false });
    try {
      const { data } = await open.post('{ __schema { queryType { name } } }');
      expect(data).toEqual({ __schema: { queryType: { name: 'Query' } } });
      const { errors } = await open.post('{ versio }');
      expect(errors![0]!.message).toContain('Did you mean "version"');
    } finally {
      await open.close();
    }
  });
});

describe('a body', () => {
  const operation = JSON.stringify({ query: '{ version }' });
  const post = async (headers: Record<string, string>, body: string | Uint8Array): Promise<unknown[]> => {
    const init = { method: 'POST', headers: { Authorization: `Bearer ${owner.token}`, ...headers }, body };
    const { status, errors } = await send(init as RequestInit);
    return [status, errors?.[0]!.extensions.code];
  };

  it('is JSON in UTF-8 as it stands', async () => {
    expect(await post({ 'Content-Type': 'application/json; charset=UTF-8' }, operation)).toEqual([200, undefined]);
    expect(await post({ 'Content-Type': 'application/json; charset="utf-8"; v=1' }, operation)).toEqual([
      200,
      undefined,
    ]);
    for (const headers of [{ 'Content-Encoding': 'gzip' }, { 'Content-Type': 'application/json; charset=utf-16' }]) {
      expect(await post({ ...json, ...headers }, operation)).toEqual([415, 'BAD_USER_INPUT']);
    }
    const broken = Buffer.concat([Buffer.from('{"query":"{ version }","a":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    expect(await post(json, broken)).toEqual([400, 'BAD_USER_INPUT']);
  });

  it('that is too large is refused without being asked for, and in the form of GraphQL', async () => {
    const ask = async (bytes: number): Promise<unknown> => {
      const headers = {
        ...json,
        Authorization: `Bearer ${owner.token}`,
        'Content-Length': bytes,
        Expect: '100-continue',
      };
      const asking = request(gateway.url, { method: 'POST', headers });
      asking.flushHeaders();
      const [answer] = (await Promise.race([once(asking, 'response'), once(asking, 'continue')])) as [
        IncomingMessage | undefined,
      ];
      if (answer === undefined) {
        asking.destroy();
        return 'asked for';
      }
      const text = (await answer.toArray()).join('');
      asking.destroy();
      const { errors } = JSON.parse(text) as { errors: { extensions: { code: string } }[] };
      return [answer.statusCode, errors[0]!.extensions.code];
    };
    expect(await ask(2_097_152)).toEqual([413, 'BAD_USER_INPUT']);
    expect(await ask(100_000)).toBe('asked for');
  });
});

describe('a text that no row can have', () => {
  it.each([
    ['webhooks', 'text'],
    ['workers', 'text'],
    ['users', 'text'],
    ['auditEvents', 'action'],
    ['auditEvents', 'subjectId'],
  ])('finds none of %s by %s', async (list, argument) => {
    const type = argument === 'subjectId' ? 'ID' : 'String';
    const query = `query ($t: ${type}) { ${list}(${argument}: $t) { totalCount nodes { __typename } } }`;
    const { data, errors } = await gateway.post(query, { token: owner.token, variables: { t: 'a\0b' } });
    expect([errors, data]).toEqual([undefined, { [list]: { totalCount: 0, nodes: [] } }]);
  });
});
