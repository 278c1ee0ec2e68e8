import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ConnectionCache } from '../../src/connections/connection-cache.js';
import { ConnectionClient } from '../../src/connections/connection-client.js';
import { createConnection } from '../../src/connections/manage-connections.js';
import { EventHub } from '../../src/events/event-hub.js';
import { formatId } from '../../src/lib/ids.js';
import { OutboundClient } from '../../src/outbound/outbound-client.js';
import { HttpWorkerRunner } from '../../src/workers/http/http-runner.js';
import { createHttpWorker } from '../../src/workers/manage-workers.js';
import { WorkerRegistry } from '../../src/workers/registry.js';
import { type AdminFixture, openAdminFixture } from '../support/admin-fixture.js';
import { type DnsServer, openDnsServer } from '../support/dns-server.js';
import { type Endpoint, openEndpoint } from '../support/endpoint.js';
import { FORBIDDEN_HOSTS } from '../support/forbidden-addresses.js';
import { workerRun } from '../support/worker-run.js';

/** The one address that the operator allows. */
const PUBLIC = '127.0.0.9';

let fixture: AdminFixture;
let canary: Server;
let port: number;
let reached = 0;
let dns: DnsServer;
let publicServer: Endpoint;
let outbound: OutboundClient;
let cache: ConnectionCache;
let connections: ConnectionClient;
let registry: WorkerRegistry;
const hub = new EventHub();

beforeAll(async () => {
  fixture = await openAdminFixture();
  canary = createServer((socket) => {
    reached += 1;
    socket.destroy();
  });
  canary.listen(0, '::');
  await once(canary, 'listening');
  const address = canary.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  port = address.port;
  dns = await openDnsServer();
  dns.answer = (_name, type) => (type === 'A' ? [{ type, data: '127.0.0.1' }] : []);
  publicServer = await openEndpoint(PUBLIC);
  const { database, keyring, clock } = fixture;
  outbound = new OutboundClient({ allowedCidrs: [`${PUBLIC}/32`], resolve: dns.resolve });
  cache = new ConnectionCache({ sql: database.pool, hub, keyring, listening: () => false });
  connections = new ConnectionClient({ connections: cache, outbound });
  const runner = new HttpWorkerRunner({ outbound, connections, keyring, clock });
  registry = new WorkerRegistry({ database, hub, runners: [runner], listening: () => false });
});

afterAll(async () => {
  registry.close();
  cache.close();
  hub.close();
  await outbound.close();
  await dns.close();
  await publicServer.close();
  await new Promise((done) => canary.close(done));
  await fixture.close();
});

beforeEach(() => publicServer.reset());

/** Some of every form: the whole table is tried at the client itself. */
const HOSTS = [...FORBIDDEN_HOSTS.filter((_, i) => i % 37 === 0).map(({ host }) => host), 'inside.test'];

const refused = { code: 'OUTBOUND_REFUSED', retryable: false };
const limits = { timeoutMs: 20_000, responseBytesMax: 1_000 };

async function connectionTo(baseUrl: string): Promise<string> {
  const authentication = { kind: 'BEARER' as const, secret: 'hunter2' };
  const outcome = await createConnection(fixture, fixture.owner, { name: 'x', baseUrl, authentication });
  if (!outcome.ok) throw new Error(`${baseUrl}: ${JSON.stringify(outcome.userErrors)}`);
  return formatId('connection', outcome.value.id);
}

async function runWorkerAt(url: string, connectionId?: string): Promise<unknown> {
  const outcome = await createHttpWorker(fixture, fixture.owner, { name: 'x', url, connectionId });
  if (!outcome.ok) throw new Error(`${url}: ${JSON.stringify(outcome.userErrors)}`);
  return await registry.run(await registry.load(outcome.value.worker.id), workerRun({}));
}

/** A URL that cannot be stored cannot be called; the others are refused when they are. */
const storable = (): string[] => HOSTS.map((host) => `http://${host}:${port}/`).filter((url) => URL.canParse(url));

describe('nothing inside is reached', () => {
  it('by HTTP workers', async () => {
    expect(storable().length).toBeGreaterThan(30);
    for (const url of storable()) await expect(runWorkerAt(url)).rejects.toMatchObject(refused);
    expect(reached).toBe(0);
  });

  it('through connections, by HTTP workers, requests and the fetch for MCP servers', async () => {
    for (const url of storable().filter((_, i) => i % 3 === 0)) {
      const connectionId = await connectionTo(url);
      await expect(runWorkerAt('/x', connectionId)).rejects.toMatchObject(refused);
      const signal = new AbortController().signal;
      const request = { connectionId, method: 'GET' as const, path: '/x', signal, ...limits };
      await expect(connections.request(request)).rejects.toMatchObject(refused);
      const { baseUrl, fetch } = await connections.fetchFor(connectionId);
      await expect(fetch(baseUrl)).rejects.toMatchObject(refused);
    }
    expect(reached).toBe(0);
  });

  it.each([301, 302, 303, 307, 308])('by a redirect, %i, which also takes no credential along', async (status) => {
    const location = `http://127.0.0.1:${port}/`;
    publicServer.answer = (response) => response.writeHead(status, { location }).end();
    await expect(runWorkerAt(publicServer.origin)).rejects.toMatchObject({
      code: 'HTTP_WORKER_STATUS',
      retryable: false,
      message: expect.stringContaining('Redirects are not followed'),
    });
    const connectionId = await connectionTo(publicServer.origin);
    await expect(runWorkerAt('/x', connectionId)).rejects.toMatchObject({ code: 'HTTP_WORKER_STATUS' });
    const { baseUrl, fetch } = await connections.fetchFor(connectionId);
    expect((await fetch(baseUrl, { redirect: 'follow' })).status).toBe(status);
    expect(publicServer.received).toHaveLength(3);
    expect(reached).toBe(0);
  });

  it('while what is allowed is', async () => {
    await expect(runWorkerAt(`${publicServer.origin}/x`)).resolves.toBeDefined();
    dns.answer = (_name, type) => (type === 'A' ? [{ type, data: PUBLIC }] : []);
    await expect(runWorkerAt(`http://outside.test:${publicServer.port}/x`)).resolves.toBeDefined();
    expect(publicServer.received).toHaveLength(2);
    expect(publicServer.received[1]?.headers.host).toBe(`outside.test:${publicServer.port}`);
  });
});
