import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { ConnectionCache } from '../../src/connections/connection-cache.js';
import { ConnectionClient } from '../../src/connections/connection-client.js';
import { createConnection, deleteConnection } from '../../src/connections/manage-connections.js';
import { EventHub } from '../../src/events/event-hub.js';
import { formatId, newUuidV7 } from '../../src/lib/ids.js';
import { OutboundClient } from '../../src/outbound/outbound-client.js';
import { HttpWorkerRunner } from '../../src/workers/http/http-runner.js';
import type { HttpWorkerInput } from '../../src/workers/http/http-worker-input.js';
import { createHttpWorker, type ManagedHttpWorker, updateHttpWorker } from '../../src/workers/manage-workers.js';
import { WorkerRegistry } from '../../src/workers/registry.js';
import type { WorkerRun } from '../../src/workers/worker-run.js';
import { type AdminFixture, openAdminFixture } from '../support/admin-fixture.js';
import { waitForBlockedSessions } from '../support/blocked-sessions.js';
import { type Endpoint, json, openEndpoint } from '../support/endpoint.js';
import { workerRun } from '../support/worker-run.js';

let fixture: AdminFixture;
let endpoint: Endpoint;
let outbound: OutboundClient;
let cache: ConnectionCache;
let registry: WorkerRegistry;
const hub = new EventHub();

beforeAll(async () => {
  fixture = await openAdminFixture();
  endpoint = await openEndpoint();
  const { database, keyring, clock } = fixture;
  outbound = new OutboundClient({ allowedCidrs: ['127.0.0.1/32'] });
  cache = new ConnectionCache({ sql: database.pool, hub, keyring, listening: () => false });
  const connections = new ConnectionClient({ connections: cache, outbound });
  const runner = new HttpWorkerRunner({ outbound, connections, keyring, clock });
  registry = new WorkerRegistry({ database, hub, runners: [runner], listening: () => false });
});

afterAll(async () => {
  registry.close();
  cache.close();
  hub.close();
  await outbound.close();
  await endpoint.close();
  await fixture.close();
});

beforeEach(() => endpoint.reset());

async function create(input: Partial<HttpWorkerInput> = {}): Promise<ManagedHttpWorker> {
  const outcome = await createHttpWorker(fixture, fixture.owner, {
    name: 'ERP',
    url: `${endpoint.origin}/orders`,
    ...input,
  });
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.userErrors));
  return outcome.value;
}

async function run(
  workerId: string,
  input: unknown = {},
  version?: number,
  more?: Partial<WorkerRun>,
): Promise<unknown> {
  const { result } = await registry.run(
    await registry.load(workerId, version),
    workerRun(input, { executionId: 'exec-7', attempt: 2, ...more }),
  );
  return JSON.parse(result);
}

/** Makes a worker and runs it once. */
async function runOnce(worker: Partial<HttpWorkerInput>, input?: unknown): Promise<unknown> {
  return await run((await create(worker)).worker.id, input);
}

async function connect(more: object = {}): Promise<string> {
  const outcome = await createConnection(fixture, fixture.owner, {
    name: 'ERP',
    baseUrl: `${endpoint.origin}/api`,
    authentication: { kind: 'BEARER', secret: 'hunter2' },
    ...more,
  });
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.userErrors));
  return formatId('connection', outcome.value.id);
}

const invalidPath = { code: 'OUTBOUND_PATH_INVALID', retryable: false };
const failed = { code: 'TEMPLATE_FAILED', retryable: false };
const invalid = { code: 'HTTP_WORKER_REQUEST_INVALID', retryable: false };

describe('a URL template', () => {
  it.each<[string, unknown, string]>([
    ['A-1', 7, '/orders/A-1/lines/7'],
    ['a/b?c#d&e', true, '/orders/a%2Fb%3Fc%23d%26e/lines/true'],
    ['ü €', 1.5, '/orders/%C3%BC%20%E2%82%AC/lines/1.5'],
    ["a'b(c)", '"', "/orders/a'b(c)/lines/%22"],
    ['...', '@:;,', '/orders/.../lines/%40%3A%3B%2C'],
  ])('encodes %j', async (id, line, expected) => {
    const url = `${endpoint.origin}/orders/{{ input.id }}/lines/{{ input.line }}`;
    await runOnce({ url }, { id, line });
    expect(endpoint.received[0]?.url).toBe(expected);
  });

  it.each<[unknown]>([['..'], ['.'], ['../admin'], ['%2e%2e'], ['..;'], ['a\\..\\b'], ['a\r\nHost: evil'], ['\u0000']])(
    'sends nothing for the segment %j',
    async (id) => {
      const url = `${endpoint.origin}/tenants/7/orders/{{ input.id }}/lines`;
      await expect(runOnce({ url }, { id })).rejects.toMatchObject(invalidPath);
      expect(endpoint.received).toEqual([]);
    },
  );

  it.each<[unknown]>([[''], [null], [{ a: 1 }], [['..', '..']], ['\ud800'], [undefined]])(
    'fails on a value that cannot stand in it: %j',
    async (id) => {
      const url = `${endpoint.origin}/orders/{{ input.id }}`;
      await expect(runOnce({ url }, { id })).rejects.toMatchObject({
        ...failed,
        message: expect.stringMatching(/^url: /),
      });
      expect(endpoint.received).toEqual([]);
    },
  );

  it('can have conditions, filters and ids, and a query of its own', async () => {
    const url =
      `${endpoint.origin}/{% if input.big %}bulk{% else %}single{% endif %}/{{ input.name | upcase }}` +
      '?e={{ executionId }}&c={{ callId }}&w={{ webhookId }}&n={{ attempt }}&x={{ input.name }}';
    await runOnce({ url: `${url}&y={{ input.none }}` }, { big: true, name: 'a&b=c', none: '' });
    expect(endpoint.received[0]?.url).toBe('/bulk/A%26B%3DC?e=exec-7&c=call-1&w=wh_1&n=2&x=a%26b%3Dc&y=');
  });
});

describe('query parameters', () => {
  it('are encoded, left out for null, repeated for an array, and added to those of the URL', async () => {
    await runOnce(
      {
        url: `${endpoint.origin}/search?fixed=1`,
        query: {
          q: '{{ input.q }}',
          none: '{{ input.none }}',
          tag: '{{ input.tags }}',
          o: '{{ input.o }}',
          t: 'x-{{ input.q }}',
        },
      },
      { q: 'a&b=c d#é', none: null, tags: ['x', 2], o: { p: 1 } },
    );
    const url = new URL(endpoint.received[0]?.url ?? '', endpoint.origin);
    expect([...url.searchParams].toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))).toEqual([
      ['fixed', '1'],
      ['o', '{"p":1}'],
      ['q', 'a&b=c d#é'],
      ['t', 'x-a&b=c d#é'],
      ['tag', 'x'],
      ['tag', '2'],
    ]);
  });

  it('fail when a variable is not there', async () => {
    await expect(runOnce({ query: { q: '{{ input.q }}' } })).rejects.toMatchObject({
      ...failed,
      message: expect.stringMatching(/^query: At \/q: .*input\.q/),
    });
  });
});

describe('header templates', () => {
  it('are filled in, left out for null, and never ours to lose', async () => {
    const headers = { 'X-Tenant': '{{ input.tenant }}', 'X-None': '{{ input.none }}', Accept: '{{ input.accept }}' };
    await runOnce({ headers }, { tenant: 7, none: null, accept: 'text/csv' });
    expect(endpoint.received[0]?.headers).toMatchObject({
      'x-tenant': '7',
      accept: 'text/csv',
      'idempotency-key': 'exec-7:main',
    });
    expect(endpoint.received[0]?.headers).not.toHaveProperty('x-none');
  });

  it.each<[string, unknown]>([
    ['a line break', 'a\r\nX-Injected: 1'],
    ['a line feed', 'a\nb'],
    ['a null byte', 'a\u0000'],
    ['what is no Latin-1', '✓'],
    ['too much', 'x'.repeat(9_000)],
  ])('refuse a value with %s, without repeating it', async (_what, value) => {
    const error = await runOnce({ headers: { 'X-A': '{{ input.a }}' } }, { a: value }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ ...invalid, message: expect.stringContaining('"x-a"') });
    expect((error as Error).message).not.toContain('Injected');
    expect(endpoint.received).toEqual([]);
  });
});

describe('a body template', () => {
  it('makes typed JSON that no value can break out of, signed as it is sent', async () => {
    const { worker, signingSecret } = await create({
      body: {
        id: '{{ input.id }}',
        text: 'Order {{ input.id }}: {{ input.note }}',
        lines: ['{{ input.lines | size }}', 1, null, true],
        whole: '{{ input.lines }}',
        static: { '{{ not.a.template }}': 'x' },
      },
    });
    await run(worker.id, { id: 7, note: '", "admin": true, "x": "', lines: [{ sku: 'a' }] });
    const { body, headers } = endpoint.received[0]!;
    expect(JSON.parse(body)).toEqual({
      id: 7,
      text: 'Order 7: ", "admin": true, "x": "',
      lines: [1, 1, null, true],
      whole: [{ sku: 'a' }],
      static: { '{{ not.a.template }}': 'x' },
    });
    expect(headers['content-type']).toBe('application/json');
    expect(() => new Webhook(signingSecret ?? '').verify(body, headers as Record<string, string>)).not.toThrow();
  });

  it.each<[unknown, unknown, string, string]>([
    ['a={{ input.a | url_encode }}', { a: 'x y' }, 'a=x+y', 'text/plain; charset=utf-8'],
    ['{{ input.a }}', { a: { b: [1] } }, '{"b":[1]}', 'application/json'],
    ['{{ input.a }}', { a: 'text' }, 'text', 'text/plain; charset=utf-8'],
    [[], {}, '[]', 'application/json'],
  ])('of %j is sent as what it gives', async (body, input, sent, contentType) => {
    await runOnce({ body }, input);
    expect(endpoint.received[0]).toMatchObject({ body: sent, headers: { 'content-type': contentType } });
  });

  it('can have another content type', async () => {
    await runOnce({ body: 'a=1', headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
    expect(endpoint.received[0]?.headers['content-type']).toBe('application/x-www-form-urlencoded');
  });

  it('says where it failed, and sends nothing', async () => {
    await expect(runOnce({ body: { a: [{ b: '{{ input.x }}' }] } })).rejects.toMatchObject({
      ...failed,
      message: expect.stringMatching(/^body: At \/a\/0\/b: /),
    });
    expect(endpoint.received).toEqual([]);
  });

  it('keeps what is larger than it may be', async () => {
    const body = Array.from({ length: 12 }, () => '{{ input.a }}');
    await expect(runOnce({ body }, { a: 'x'.repeat(1_000_000) })).rejects.toMatchObject(invalid);
    expect(endpoint.received).toEqual([]);
  });
});

describe('a result template', () => {
  it.each<[unknown, unknown]>([
    ['{{ response.body.order.id }}', 7],
    ['{{ response.body.order }}', { id: 7, lines: [1, 2] }],
    ['{{ response.status }}', 201],
    ['{{ response.headers["x-erp"] }}', 'yes'],
    [
      {
        id: 'order-{{ response.body.order.id }}',
        count: '{{ response.body.order.lines | size }}',
        for: '{{ input.who }}',
      },
      { id: 'order-7', count: 2, for: 'me' },
    ],
  ])('%j gives %j', async (result, expected) => {
    endpoint.answer = json(201, { order: { id: 7, lines: [1, 2] } }, { 'x-erp': 'yes', 'set-cookie': 'a=b' });
    expect(await runOnce({ result }, { who: 'me' })).toEqual(expected);
  });

  it('reads a body that is no JSON as text, and no cookie', async () => {
    endpoint.answer = (response) => response.writeHead(200, { 'set-cookie': 'session=hunter2' }).end('plain');
    expect(await runOnce({ result: '{{ response.body }}' })).toBe('plain');
    await expect(runOnce({ result: '{{ response.headers["set-cookie"] }}' })).rejects.toMatchObject(failed);
  });

  it('fails when the response has not what it names, and the request is not sent again', async () => {
    await expect(runOnce({ result: '{{ response.body.id }}' })).rejects.toMatchObject({
      ...failed,
      message: expect.stringMatching(/^result: /),
    });
    expect(endpoint.received).toHaveLength(1);
  });

  it('sees that a body was cut', async () => {
    endpoint.answer = json(200, { text: 'x'.repeat(100) });
    const worker = {
      responseBytesMax: 20,
      result: { cut: '{{ response.truncated }}', size: '{{ response.body | size }}' },
    };
    expect(await runOnce(worker)).toEqual({ cut: true, size: 20 });
    expect(await runOnce({ responseBytesMax: 20 })).toMatchObject({ truncated: true, body: '{"text":"xxxxxxxxxxx' });
    expect(await runOnce({ responseBytesMax: 200 })).not.toHaveProperty('truncated');
  });
});

describe('a condition of success', () => {
  it.each<[string, number, unknown, string | undefined, boolean | undefined]>([
    ['response.body.ok == true', 200, { ok: true }, undefined, undefined],
    ['response.body.ok == true', 200, { ok: false }, 'HTTP_WORKER_UNSUCCESSFUL', false],
    ['response.body.ok == true', 200, {}, 'HTTP_WORKER_UNSUCCESSFUL', false],
    ['response.status == 404', 404, {}, undefined, undefined],
    ['response.status == 404', 400, {}, 'HTTP_WORKER_STATUS', false],
    ['response.status == 404', 503, {}, 'HTTP_WORKER_STATUS', true],
    ['response.status == 404', 204, {}, 'HTTP_WORKER_UNSUCCESSFUL', false],
    ['response.status < 300 or response.body.known == input.known', 409, { known: 'x' }, undefined, undefined],
  ])('%s, with status %i and %j', async (successWhen, status, body, code, retryable) => {
    endpoint.answer = json(status, status === 204 ? '' : body);
    const attempt = runOnce({ successWhen }, { known: 'x' });
    if (code === undefined) await expect(attempt).resolves.toMatchObject({ status });
    else await expect(attempt).rejects.toMatchObject({ code, retryable });
  });
});

describe('an HTTP worker that another worker calls', () => {
  it.each<[string, string, RegExp]>([
    ['the execution itself', '', /^exec-7:main$/],
    ['a plain step', 'tools/look-up.1', /^exec-7:tools\/look-up\.1$/],
    ['a step with other characters', 'Ä\r\n', /^exec-7:[0-9a-f]{64}$/],
    ['a long step', 'x'.repeat(900), /^exec-7:[0-9a-f]{64}$/],
  ])('has keys of its own for %s', async (_what, path, key) => {
    const { worker } = await create();
    await run(worker.id, {}, undefined, { path });
    const { headers } = endpoint.received[0]!;
    expect(headers['idempotency-key']).toMatch(key);
    expect(headers['webhook-id']).toBe(path === '' ? 'exec-7' : headers['idempotency-key']);
  });
});

describe('time limits', () => {
  it('end a request whose headers do not come', async () => {
    endpoint.answer = () => undefined;
    await expect(runOnce({ headersTimeoutMs: 100 })).rejects.toMatchObject({
      code: 'HTTP_WORKER_UNREACHABLE',
      retryable: true,
      message: 'The endpoint could not be reached: no response in time.',
    });
  });

  it('end a response that falls silent', async () => {
    endpoint.answer = (response) => response.write('{');
    await expect(runOnce({ bodyTimeoutMs: 100 })).rejects.toMatchObject({
      code: 'HTTP_WORKER_UNREACHABLE',
      retryable: true,
      message: 'The endpoint could not be reached: the response stopped before its end.',
    });
  });
});

describe('a connection', () => {
  it('gives its base URL and credential', async () => {
    const connectionId = await connect({ headers: { 'X-Tenant': '7' } });
    const worker = { connectionId, method: 'GET', url: '/orders/{{ input.id }}?x=1', query: { q: '{{ input.q }}' } };
    await runOnce({ ...worker, headers: { authorization: 'theirs' } }, { id: 'a/b', q: 'c d' });
    expect(endpoint.received[0]).toMatchObject({
      method: 'GET',
      url: '/api/orders/a%2Fb?x=1&q=c+d',
      headers: { authorization: 'Bearer hunter2', 'x-tenant': '7', 'idempotency-key': 'exec-7:main' },
    });
  });

  it('is never left by a value', async () => {
    const connectionId = await connect();
    for (const id of ['..', '../../admin', '..;x']) {
      await expect(runOnce({ connectionId, url: '/orders/{{ input.id }}/x' }, { id })).rejects.toMatchObject(
        invalidPath,
      );
    }
    expect(endpoint.received).toEqual([]);
  });

  it('must be there when a worker is saved, and cannot go while one is being saved', async () => {
    const none = formatId('connection', newUuidV7());
    for (const connectionId of [none, 'conn-nonsense', '']) {
      const outcome = await createHttpWorker(fixture, fixture.owner, { name: 'x', url: '/a', connectionId });
      expect(outcome).toMatchObject({
        ok: false,
        userErrors: [{ field: ['connectionId'], code: 'UNKNOWN_CONNECTION' }],
      });
    }
    const connectionId = await connect();
    const { worker } = await create({ connectionId, url: '/a' });
    const { rows } = await fixture.database.pool.query<{ id: string }>(
      'select id from connections order by id desc limit 1',
    );
    const { id } = rows[0]!;
    expect(await deleteConnection(fixture, fixture.owner, { id })).toMatchObject({
      ok: false,
      userErrors: [{ code: 'CONNECTION_IN_USE', message: expect.stringContaining(worker.id) }],
    });

    // A deletion that holds the row already makes a save wait, and then refuses it.
    const free = await connect();
    const gate = await fixture.database.pool.connect();
    await gate.query('begin');
    await gate.query('delete from connections where id = (select max(id::text)::uuid from connections)');
    const saving = createHttpWorker(fixture, fixture.owner, { name: 'x', url: '/a', connectionId: free });
    await waitForBlockedSessions(fixture.database.pool, 1);
    await gate.query('commit');
    gate.release();
    expect(await saving).toMatchObject({ ok: false, userErrors: [{ code: 'UNKNOWN_CONNECTION' }] });
  });
});

describe('saving', () => {
  it.each<[string, Partial<HttpWorkerInput>, string[]]>([
    ['a host that a value chooses', { url: 'https://{{ input.host }}/x' }, ['url']],
    ['a host that a value ends', { url: 'https://api.example{{ input.x }}/x' }, ['url']],
    ['a host in a condition', { url: '{% if input.x %}https://a.example{% endif %}/x' }, ['url']],
    ['a scheme that a value chooses', { url: '{{ input.url }}' }, ['url']],
    ['credentials before a template', { url: 'https://u:p@a.example/{{ input.x }}' }, ['url']],
    ['a template that is not closed', { url: 'https://a.example/{{ input.x' }, ['url']],
    ['a value without encoding', { url: 'https://a.example/{{ input.x | raw }}' }, ['url']],
    ['a filter that is none', { url: 'https://a.example/{{ input.x | nonsense }}' }, ['url']],
    ['an absolute URL with a connection', { connectionId: 'conn-x', url: 'https://a.example/x' }, ['url']],
    ['another host with a connection', { connectionId: 'conn-x', url: '//a.example/{{ input.x }}' }, ['url']],
    ['a path that leads out', { connectionId: 'conn-x', url: '/../x' }, ['url']],
    ['a header template', { headers: { 'X-A': '{{ input.' } }, ['headers', 'X-A']],
    ['a query template', { query: { q: '{% if %}' } }, ['query', 'q']],
    ['a query that is none', { query: ['q'] as never }, ['query']],
    ['a name that cannot be stored', { query: { 'q\u0000': 'x' } }, ['query', 'q\u0000']],
    ['a body template', { body: { a: ['{{ input.x | nonsense }}'] } }, ['body']],
    ['a body that cannot be stored', { body: { 'a\ud800': 'x' } }, ['body']],
    ['a body of a GET', { method: 'GET', body: {} }, ['body']],
    ['a result template', { result: '{{ }' }, ['result']],
    ['a result that cannot be stored', { result: 'a\u0000' }, ['result']],
    ['a condition', { successWhen: 'response.status ==' }, ['successWhen']],
    ['an empty condition', { successWhen: ' ' }, ['successWhen']],
    ['too long a wait', { headersTimeoutMs: 4_000_000 }, ['headersTimeoutMs']],
    ['no wait', { bodyTimeoutMs: 0 }, ['bodyTimeoutMs']],
    ['too much of a response', { responseBytesMax: 20_000_000 }, ['responseBytesMax']],
  ])('refuses %s', async (_what, input, field) => {
    const outcome = await createHttpWorker(fixture, fixture.owner, {
      name: 'ERP',
      url: `${endpoint.origin}/orders`,
      ...input,
    });
    if (outcome.ok) throw new Error('it was taken');
    expect(outcome.userErrors.map((error) => error.field)).toContainEqual(field);
  });

  it('keeps what is left out and takes away what is null', async () => {
    const made = await create({
      body: { a: 1 },
      result: '{{ response.status }}',
      successWhen: 'true',
      query: { q: 'x' },
    });
    const { id } = made.worker;
    const update = (input: object): ReturnType<typeof updateHttpWorker> =>
      updateHttpWorker(fixture, fixture.owner, { id, ...input });
    expect(await update({ name: 'Other' })).toMatchObject({
      ok: true,
      value: {
        worker: {
          definition: { body: { a: 1 }, result: '{{ response.status }}', successWhen: 'true', query: { q: 'x' } },
        },
      },
    });
    expect(await update({ body: null, result: null, successWhen: null, query: null })).toMatchObject({
      ok: true,
      value: { worker: { definition: { body: null, result: null, successWhen: null, query: {} } } },
    });
    endpoint.reset();
    expect(await run(id, { x: 1 })).toMatchObject({ status: 200 });
    expect(endpoint.received[0]).toMatchObject({ url: '/orders', body: '{"x":1}' });
    expect(await run(id, { x: 1 }, 1)).toBe(200);
  });

  it('does not send stored headers to another host', async () => {
    const { worker } = await create({ headers: { authorization: 'Bearer hunter2' } });
    const move = { id: worker.id, url: 'https://evil.example/orders' };
    expect(await updateHttpWorker(fixture, fixture.owner, move)).toMatchObject({
      ok: false,
      userErrors: [{ field: ['headers'], code: 'REQUIRED' }],
    });
    const connectionId = await connect();
    expect(await updateHttpWorker(fixture, fixture.owner, { id: worker.id, url: '/a', connectionId })).toMatchObject({
      ok: false,
      userErrors: [{ field: ['headers'], code: 'REQUIRED' }],
    });
    expect(await updateHttpWorker(fixture, fixture.owner, { ...move, headers: {} })).toMatchObject({ ok: true });
  });
});

describe('a definition of before there were templates', () => {
  it('runs as it did', async () => {
    const { worker } = await create({ headers: { 'X-A': 'plain' } });
    await fixture.database.pool.query(
      `update worker_versions set definition =
         jsonb_build_object('method', 'POST', 'url', $2::text, 'headerNames', definition->'headerNames',
           'headersSealed', definition->'headersSealed', 'signingSecretSealed', definition->'signingSecretSealed')
       where worker_id = $1`,
      [worker.id, `${endpoint.origin}/a//b?x={{ input.x }}`],
    );
    expect(await run(worker.id, { n: 1 })).toMatchObject({ status: 200, body: { ok: true } });
    expect(endpoint.received).toMatchObject([
      { url: '/a//b?x={{%20input.x%20}}', body: '{"n":1}', headers: { 'x-a': 'plain' } },
    ]);
  });
});
