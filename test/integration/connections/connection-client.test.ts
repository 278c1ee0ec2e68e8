import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ConnectionCache } from '../../../src/connections/connection-cache.js';
import { ConnectionClient, type ConnectionRequest } from '../../../src/connections/connection-client.js';
import type { ConnectionInput } from '../../../src/connections/connection-input.js';
import { createConnection, deleteConnection, updateConnection } from '../../../src/connections/manage-connections.js';
import { topics } from '../../../src/events/event.js';
import { EventHub } from '../../../src/events/event-hub.js';
import { EventListener } from '../../../src/events/event-listener.js';
import { formatId, newUuidV7 } from '../../../src/lib/ids.js';
import { OutboundClient } from '../../../src/outbound/outbound-client.js';
import { type AdminFixture, openAdminFixture } from '../../support/admin-fixture.js';
import { type Endpoint, openEndpoint } from '../../support/endpoint.js';

let fixture: AdminFixture;
let endpoint: Endpoint;
let hub: EventHub;
let listener: EventListener;
let cache: ConnectionCache;
let outbound: OutboundClient;
let connections: ConnectionClient;

beforeAll(async () => {
  fixture = await openAdminFixture();
  endpoint = await openEndpoint();
  const { database, keyring, log, url } = fixture;
  hub = new EventHub();
  listener = new EventListener({ url, hub, log });
  await listener.start();
  cache = new ConnectionCache({ sql: database.pool, hub, keyring, listening: () => listener.listening });
  outbound = new OutboundClient({ allowedCidrs: ['127.0.0.1/32'] });
  connections = new ConnectionClient({ connections: cache, outbound });
});

afterAll(async () => {
  cache.close();
  await outbound.close();
  await listener.close();
  hub.close();
  await endpoint.close();
  await fixture.close();
});

beforeEach(() => endpoint.reset());

async function create(input: Partial<ConnectionInput> = {}): Promise<string> {
  const outcome = await createConnection(fixture, fixture.owner, {
    name: 'ERP',
    baseUrl: `${endpoint.origin}/api`,
    ...input,
  });
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.userErrors));
  return outcome.value.id;
}

const request = (id: string, more: Partial<ConnectionRequest> = {}): ConnectionRequest => ({
  connectionId: formatId('connection', id),
  method: 'GET',
  path: '/orders',
  signal: new AbortController().signal,
  timeoutMs: 10_000,
  responseBytesMax: 10_000,
  ...more,
});

describe('ConnectionClient.request', () => {
  it.each<[string, ConnectionInput['authentication'], string, Record<string, string>]>([
    ['nothing', undefined, '/api/orders', {}],
    ['BEARER', { kind: 'BEARER', secret: 'hunter2' }, '/api/orders', { authorization: 'Bearer hunter2' }],
    [
      'BASIC',
      { kind: 'BASIC', name: 'wörk', secret: 'a:b' },
      '/api/orders',
      { authorization: `Basic ${Buffer.from('wörk:a:b').toString('base64')}` },
    ],
    ['HEADER', { kind: 'HEADER', name: 'X-Key', secret: 'hunter2' }, '/api/orders', { 'x-key': 'hunter2' }],
    ['QUERY', { kind: 'QUERY', name: 'key', secret: 'a&b=c#d' }, '/api/orders?key=a%26b%3Dc%23d', {}],
  ])('proves itself by %s', async (_kind, authentication, url, headers) => {
    const id = await create({ authentication });
    const response = await connections.request(request(id));
    expect(response.body.toString()).toBe('{"ok":true}');
    expect(endpoint.received).toMatchObject([{ method: 'GET', url, headers }]);
  });

  it('adds headers and query, and lets nobody replace what is its own', async () => {
    const id = await create({
      authentication: { kind: 'BEARER', secret: 'hunter2' },
      headers: { 'X-Tenant': '7' },
    });
    const headers = { AUTHORIZATION: 'Bearer stolen', 'x-tenant': '8', 'X-Own': '1' };
    await connections.request(request(id, { headers, query: { q: 'a b&c=d' } }));
    expect(endpoint.received[0]?.url).toBe('/api/orders?q=a+b%26c%3Dd');
    expect(endpoint.received[0]?.headers).toMatchObject({
      authorization: 'Bearer hunter2',
      'x-tenant': '7',
      'x-own': '1',
    });
    const keyed = await create({ authentication: { kind: 'QUERY', name: 'key', secret: 'ours' } });
    await connections.request(request(keyed, { path: '/orders?key=theirs&key=again', query: { key: 'mine' } }));
    expect(endpoint.received[1]?.url).toBe('/api/orders?key=ours');
  });

  it('sends nothing when the path leads out, or the connection is not there', async () => {
    const id = await create();
    for (const path of ['/../admin', '//evil.example', 'https://evil.example/']) {
      await expect(connections.request(request(id, { path }))).rejects.toMatchObject({
        code: 'OUTBOUND_PATH_INVALID',
        retryable: false,
      });
    }
    for (const connectionId of [formatId('connection', newUuidV7()), 'conn-nonsense', id]) {
      await expect(connections.request(request(id, { connectionId }))).rejects.toMatchObject({
        code: 'CONNECTION_NOT_FOUND',
        retryable: false,
      });
    }
    expect(endpoint.received).toEqual([]);
  });

  it('is guarded as every request is', async () => {
    const id = await create({ baseUrl: 'http://169.254.169.254/latest' });
    await expect(connections.request(request(id))).rejects.toMatchObject({ code: 'OUTBOUND_REFUSED' });
  });
});

describe('ConnectionClient.fetchFor', () => {
  it('adds what the connection has and stays below its base URL', async () => {
    const id = await create({
      authentication: { kind: 'BEARER', secret: 'hunter2' },
      headers: { 'X-Tenant': '7' },
    });
    const { baseUrl, fetch } = await connections.fetchFor(formatId('connection', id));
    expect(baseUrl).toBe(`${endpoint.origin}/api`);
    const init = { method: 'POST', headers: { Accept: 'text/event-stream', authorization: 'x' }, body: '{}' };
    expect(await (await fetch(baseUrl, init)).json()).toEqual({ ok: true });
    await fetch(new Request(`${baseUrl}/session`, { method: 'DELETE' }));
    expect(endpoint.received).toMatchObject([
      {
        method: 'POST',
        url: '/api',
        headers: { accept: 'text/event-stream', authorization: 'Bearer hunter2', 'x-tenant': '7' },
      },
      { method: 'DELETE', url: '/api/session', headers: { authorization: 'Bearer hunter2' } },
    ]);
    for (const url of [
      endpoint.origin,
      `${endpoint.origin}/apis`,
      `${endpoint.origin}/api/..%2fadmin`,
      'http://127.0.0.2/api',
      'nonsense',
    ]) {
      await expect(fetch(url)).rejects.toMatchObject({ code: 'OUTBOUND_REFUSED' });
    }
    expect(endpoint.received).toHaveLength(2);
  });

  it('reads no more than it may', async () => {
    const id = await create();
    const { baseUrl, fetch } = await connections.fetchFor(formatId('connection', id), { responseBytesMax: 5 });
    await expect((await fetch(baseUrl)).text()).rejects.toMatchObject({ code: 'OUTBOUND_RESPONSE_TOO_LARGE' });
  });

  it('needs a connection', async () => {
    await expect(connections.fetchFor('conn-none')).rejects.toMatchObject({ code: 'CONNECTION_NOT_FOUND' });
  });
});

describe('a change', () => {
  it('holds for the next request of a process that used the old credential', async () => {
    const id = await create({ authentication: { kind: 'BEARER', secret: 'old-secret' } });
    await connections.request(request(id));
    const heard = hub.subscribe([topics.connections]);
    const changed = await updateConnection(fixture, fixture.owner, {
      id,
      authentication: { kind: 'BEARER', secret: 'new-secret' },
    });
    expect(changed).toMatchObject({ ok: true, value: { version: 2 } });
    for await (const event of heard) {
      if (event.kind === 'connection-changed' && event.connectionId === id) break;
    }
    await connections.request(request(id));
    expect(endpoint.received.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer old-secret',
      'Bearer new-secret',
    ]);
  });

  it('that deletes it ends it, with its credential', async () => {
    const id = await create({ authentication: { kind: 'BEARER', secret: 'old-secret' } });
    const { fetch, baseUrl } = await connections.fetchFor(formatId('connection', id));
    await fetch(baseUrl);
    const heard = hub.subscribe([topics.connections]);
    expect(await deleteConnection(fixture, fixture.owner, { id })).toEqual({ ok: true, value: { id } });
    for await (const event of heard) {
      if (event.kind === 'connection-changed' && event.connectionId === id) break;
    }
    await expect(fetch(baseUrl)).rejects.toMatchObject({ code: 'CONNECTION_NOT_FOUND' });
    const { rows } = await fixture.database.pool.query('select 1 from connections where id = $1', [id]);
    expect(rows).toEqual([]);
  });

  it('does not send a stored credential to another host', async () => {
    const id = await create({
      authentication: { kind: 'BEARER', secret: 'old-secret' },
      headers: { 'X-Key': 'hunter2' },
    });
    const baseUrl = 'https://evil.example/api';
    expect(await updateConnection(fixture, fixture.owner, { id, baseUrl })).toMatchObject({
      ok: false,
      userErrors: [
        { field: ['authentication'], code: 'REQUIRED' },
        { field: ['headers'], code: 'REQUIRED' },
      ],
    });
    expect(await updateConnection(fixture, fixture.owner, { id, baseUrl: `${endpoint.origin}/api/v2` })).toMatchObject({
      ok: true,
    });
    const anew = { authentication: { kind: 'NONE' as const }, headers: {} };
    expect(await updateConnection(fixture, fixture.owner, { id, baseUrl, ...anew })).toMatchObject({
      ok: true,
      value: { baseUrl, authKind: 'NONE', headerNames: [], version: 3 },
    });
  });
});

describe('a connection at rest', () => {
  it('has its credential sealed, in its row and in the audit log, for this version of this row', async () => {
    const id = await create({
      authentication: { kind: 'BASIC', name: 'robot', secret: 'hunter2-hunter2-hunter2' },
      headers: { 'X-Key': 'hunter3' },
    });
    const { rows } = await fixture.database.pool.query<{ row: string }>(
      `select row_to_json(c)::text as row from connections c where id = $1
       union all select row_to_json(a)::text from audit_events a where subject_id = $2`,
      [id, formatId('connection', id)],
    );
    expect(rows).toHaveLength(2);
    expect(JSON.stringify(rows)).not.toMatch(/hunter[23]/);
    const other = await create();
    await fixture.database.pool.query(
      'update connections set sealed = (select sealed from connections where id = $1) where id = $2',
      [id, other],
    );
    await expect(connections.request(request(other))).rejects.toMatchObject({ code: 'ENCRYPTION_KEY_INVALID' });
  });
});
