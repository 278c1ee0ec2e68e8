import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { verifyAudit } from '../../src/access/audit.js';
import type { UserRole } from '../../src/access/access.entities.js';
import type { Principal } from '../../src/access/principal.js';
import { ConnectionCache } from '../../src/connections/connection-cache.js';
import { ConnectionClient } from '../../src/connections/connection-client.js';
import { type Database, openDatabase } from '../../src/db/database.js';
import { ENTITIES } from '../../src/entities.js';
import { EventHub } from '../../src/events/event-hub.js';
import { systemClock } from '../../src/lib/clock.js';
import { newUuidV7 } from '../../src/lib/ids.js';
import { asJsonText } from '../../src/lib/json-text.js';
import { createLogger } from '../../src/lib/logger.js';
import type { Outcome } from '../../src/lib/user-error.js';
import { OutboundClient } from '../../src/outbound/outbound-client.js';
import { Keyring } from '../../src/secrets/seal.js';
import { HttpWorkerRunner } from '../../src/workers/http/http-runner.js';
import type { KeysetRequest } from '../../src/db/keyset.js';
import type { HttpWorkerInput } from '../../src/workers/http/http-worker-input.js';
import {
  createHttpWorker,
  deleteWorker,
  type ManagedHttpWorker,
  updateHttpWorker,
} from '../../src/workers/manage-workers.js';
import {
  countWorkers,
  listWorkers,
  type WorkerFilter,
  type WorkerOrder,
  WORKERS_BY_NAME,
} from '../../src/workers/read-workers.js';
import { WorkerRegistry } from '../../src/workers/registry.js';
import type { WorkerOutput, WorkerRun } from '../../src/workers/worker-run.js';
import { waitForBlockedSessions } from '../support/blocked-sessions.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { workerRun } from '../support/worker-run.js';

interface Received {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const log = createLogger('silent');
const hub = new EventHub();
const keyring = new Keyring([{ id: 'test', key: Buffer.alloc(32, 7) }]);
let testDatabase: TestDatabase;
let database: Database;
let endpoint: Server;
let endpointUrl: string;
let received: Received[] = [];
let answer: (response: ServerResponse) => void;
let outbound: OutboundClient;
let cache: ConnectionCache;
let registry: WorkerRegistry;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = await openDatabase({ url: testDatabase.url, entities: ENTITIES, poolSize: 8, log });
  endpoint = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method, url, headers } = request;
      received.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
      answer(response);
    });
  });
  await new Promise<void>((done) => endpoint.listen(0, '127.0.0.1', done));
  const address = endpoint.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  endpointUrl = `http://127.0.0.1:${address.port}`;
  outbound = new OutboundClient({ allowedCidrs: ['127.0.0.0/8'] });
  cache = new ConnectionCache({ sql: database.pool, hub, keyring, listening: () => false });
  const connections = new ConnectionClient({ connections: cache, outbound });
  registry = new WorkerRegistry({
    database,
    hub,
    runners: [new HttpWorkerRunner({ outbound, connections, keyring, clock: systemClock, resultBytesMax: 2_000 })],
    resultBytesMax: 2_000,
    listening: () => false,
  });
});

afterAll(async () => {
  registry.close();
  cache.close();
  await outbound.close();
  endpoint.closeAllConnections();
  await new Promise((done) => endpoint.close(done));
  hub.close();
  await database.close();
  await testDatabase.drop();
});

const principal = (role: UserRole): Principal => ({
  userId: newUuidV7(),
  role,
  credential: { type: 'api-token', id: newUuidV7() },
  scopes: [],
});
const editor = principal('editor');

function valueOf<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.userErrors));
  return outcome.value;
}

async function create(input: Partial<HttpWorkerInput> = {}): Promise<ManagedHttpWorker> {
  const settings = { name: 'ERP', url: `${endpointUrl}/orders?x=1`, ...input };
  return valueOf(await createHttpWorker({ database, keyring }, editor, settings));
}

const BODY = asJsonText('{ "n": 12345678901234567890 }');

async function run(workerId: string, more: Partial<WorkerRun> = {}, version?: number): Promise<WorkerOutput> {
  received = [];
  const given = { executionId: 'exec-7', inputText: BODY, ...more };
  return registry.run(await registry.load(workerId, version), workerRun(JSON.parse(BODY), given));
}

const json =
  (status: number, body: unknown, headers: Record<string, string> = {}) =>
  (response: ServerResponse) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };

describe('HttpWorkerRunner', () => {
  it('posts the body as it came, signed so that the Standard Webhooks library takes it', async () => {
    answer = json(201, { stored: true }, { 'x-erp': '7' });
    const { worker, signingSecret } = await create({
      headers: { Authorization: 'Bearer hunter2', ACCEPT: 'text/csv' },
    });
    const { result } = await run(worker.id);
    expect(JSON.parse(result)).toMatchObject({
      status: 201,
      headers: { 'x-erp': '7' },
      body: { stored: true },
    });
    const [request] = received;
    expect(request).toMatchObject({ method: 'POST', url: '/orders?x=1', body: BODY });
    expect(request?.headers).toMatchObject({
      'content-type': 'application/json',
      authorization: 'Bearer hunter2',
      accept: 'text/csv',
      'idempotency-key': 'exec-7:main',
      'webhook-id': 'exec-7',
    });
    const headers = request?.headers as Record<string, string>;
    expect(() => new Webhook(signingSecret ?? '').verify(request?.body ?? '', headers)).not.toThrow();
    expect(() => new Webhook(signingSecret ?? '').verify(`${request?.body} `, headers)).toThrow();
  });

  it('sends a GET without a body, signed over nothing', async () => {
    answer = json(200, []);
    const { worker, signingSecret } = await create({ method: 'GET' });
    await run(worker.id);
    expect(received[0]).toMatchObject({ method: 'GET', body: '' });
    expect(received[0]?.headers).not.toHaveProperty('content-type');
    const headers = received[0]?.headers as Record<string, string>;
    expect(() => new Webhook(signingSecret ?? '').verify('', headers, { jsonParse: false })).not.toThrow();
  });

  it.each<[number, boolean, string | undefined, number | undefined]>([
    [400, false, undefined, undefined],
    [401, false, undefined, undefined],
    [404, false, '5', undefined],
    [408, true, undefined, undefined],
    [425, true, undefined, undefined],
    [429, true, '2', 2_000],
    [500, true, undefined, undefined],
    [503, true, '120', 120_000],
    [503, true, 'soon', undefined],
    [302, false, undefined, undefined],
  ])('fails on %i: retryable %s, Retry-After %s', async (status, retryable, retryAfter, retryAfterMs) => {
    answer = json(
      status,
      { secret: 'hunter2' },
      { ...(retryAfter !== undefined && { 'retry-after': retryAfter }), location: '/elsewhere' },
    );
    const { worker } = await create();
    await expect(run(worker.id)).rejects.toMatchObject({
      code: 'HTTP_WORKER_STATUS',
      retryable,
      retryAfterMs,
      message: expect.stringMatching(new RegExp(`status ${status}\\.`)),
    });
    expect(received).toHaveLength(1);
  });

  it('waits until the date that Retry-After names', async () => {
    answer = json(503, {}, { 'retry-after': new Date(Date.now() + 60_000).toUTCString() });
    const { worker } = await create();
    const error = await run(worker.id).catch((reason: unknown) => reason);
    const { retryAfterMs } = error as { retryAfterMs: number };
    expect(retryAfterMs).toBeGreaterThan(50_000);
    expect(retryAfterMs).toBeLessThanOrEqual(60_000);
  });

  it('cuts an answer that is too long and says so', async () => {
    answer = json(200, { text: 'x'.repeat(100_000) });
    const { worker } = await create();
    const { result } = await run(worker.id);
    expect(Buffer.byteLength(result)).toBeLessThanOrEqual(2_000);
    expect(JSON.parse(result)).toMatchObject({
      status: 200,
      truncated: true,
      body: expect.stringContaining('{"text":"xxx'),
    });
  });

  it('can be tried again when nobody listens, and not when nobody may', async () => {
    const { worker: deaf } = await create({ url: 'http://127.0.0.1:1/' });
    await expect(run(deaf.id)).rejects.toMatchObject({ code: 'HTTP_WORKER_UNREACHABLE', retryable: true });
    const { worker: inside } = await create({ url: 'http://169.254.169.254/latest/meta-data' });
    await expect(run(inside.id)).rejects.toMatchObject({ code: 'OUTBOUND_REFUSED', retryable: false });
  });

  it('ends with the reason of its signal', async () => {
    const abort = new AbortController();
    answer = () => abort.abort(new Error('canceled by its owner'));
    const { worker } = await create();
    await expect(run(worker.id, { signal: abort.signal })).rejects.toThrow('canceled by its owner');
  });
});

describe('createHttpWorker', () => {
  it('stores no header value and no secret in plain text, and shows the secret once', async () => {
    const { worker, signingSecret } = await create({
      headers: { 'X-Key': 'hunter2' },
      description: 'Takes orders',
      inputSchema: { type: 'object' },
    });
    expect(worker).toMatchObject({
      kind: 'HTTP',
      name: 'ERP',
      description: 'Takes orders',
      version: 1,
      timeoutMs: 30_000,
      attemptsMax: 5,
      inputSchema: { type: 'object' },
      definition: { method: 'POST', url: `${endpointUrl}/orders?x=1`, headerNames: ['X-Key'] },
    });
    expect(signingSecret).toMatch(/^whsec_/);
    const { rows } = await database.pool.query<{ row: string }>(
      `select row_to_json(v)::text as row from worker_versions v where worker_id = $1
       union all select row_to_json(a)::text from audit_events a where subject_id = $1`,
      [worker.id],
    );
    expect(rows).toHaveLength(2);
    expect(JSON.stringify(rows)).not.toContain('hunter2');
    expect(JSON.stringify(rows)).not.toContain(signingSecret?.slice('whsec_'.length));
  });

  it('does not open what was moved to another worker', async () => {
    const { worker } = await create({ headers: { 'X-Key': 'hunter2' } });
    const { worker: other } = await create();
    await database.pool.query(
      `update worker_versions set definition = (select definition from worker_versions where worker_id = $1) where worker_id = $2`,
      [worker.id, other.id],
    );
    await expect(run(other.id)).rejects.toMatchObject({ code: 'ENCRYPTION_KEY_INVALID' });
  });

  it.each([[true], [false]])('keeps the schema %s', async (inputSchema) => {
    const { worker } = await create({ inputSchema });
    expect(worker.inputSchema).toBe(inputSchema);
    expect(await registry.validateInput([worker.id], {})).toHaveLength(inputSchema ? 0 : 1);
  });

  it('names everything that is wrong at once', async () => {
    const outcome = await createHttpWorker({ database, keyring }, editor, {
      name: ' ',
      url: 'ftp://example.com',
      method: 'TRACE',
      headers: { Host: 'x' },
      signingSecret: 'short',
      inputSchema: { type: 'objekt' },
      timeoutMs: 0,
    });
    if (outcome.ok) throw new Error('it was taken');
    expect(outcome.userErrors.map((error) => error.field.join('.')).toSorted()).toEqual([
      'headers.Host',
      'inputSchema',
      'method',
      'name',
      'signingSecret',
      'timeoutMs',
      'url',
    ]);
    expect(JSON.stringify(outcome)).not.toContain('short');
  });

  it('needs a role that may', async () => {
    const input = { name: 'ERP', url: endpointUrl };
    await expect(createHttpWorker({ database, keyring }, principal('viewer'), input)).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
    await expect(createHttpWorker({ database, keyring }, undefined, input)).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    });
  });
});

describe('updateHttpWorker', () => {
  const update = (input: Parameters<typeof updateHttpWorker>[2]): ReturnType<typeof updateHttpWorker> =>
    updateHttpWorker({ database, keyring }, editor, input);

  it('makes a version that keeps what was left out, and the old one still runs', async () => {
    answer = json(200, {});
    const made = await create({ headers: { 'X-Key': 'hunter2' }, description: 'Old' });
    const { id } = made.worker;
    const changed = valueOf(await update({ id, expectedVersion: 1, url: `${endpointUrl}/v2`, description: null }));
    expect(changed).toMatchObject({
      signingSecret: undefined,
      worker: { version: 2, name: 'ERP', description: null },
    });
    await run(id);
    expect(received[0]).toMatchObject({ url: '/v2', headers: { 'x-key': 'hunter2' } });
    const headers = received[0]?.headers as Record<string, string>;
    expect(() => new Webhook(made.signingSecret ?? '').verify(BODY, headers)).not.toThrow();
    await run(id, {}, 1);
    expect(received[0]).toMatchObject({ url: '/orders?x=1', headers: { 'x-key': 'hunter2' } });
  });

  it('gives a new signing secret when asked', async () => {
    answer = json(200, {});
    const made = await create();
    const changed = valueOf(await update({ id: made.worker.id, regenerateSigningSecret: true }));
    expect(changed.signingSecret).not.toBe(made.signingSecret);
    await run(made.worker.id);
    const headers = received[0]?.headers as Record<string, string>;
    expect(() => new Webhook(changed.signingSecret ?? '').verify(BODY, headers)).not.toThrow();
    expect(() => new Webhook(made.signingSecret ?? '').verify(BODY, headers)).toThrow();
  });

  it('lets one of two who saw the same version win', async () => {
    const { worker } = await create();
    const gate = await database.pool.connect();
    await gate.query('begin');
    await gate.query('select 1 from workers where id = $1 for update', [worker.id]);
    const changing = Promise.allSettled(
      ['First', 'Second'].map((name) => update({ id: worker.id, expectedVersion: 1, name })),
    );
    await waitForBlockedSessions(database.pool, 2);
    await gate.query('commit');
    gate.release();
    const both = await changing;
    expect(both.map((one) => one.status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(both.find((one) => one.status === 'rejected')?.reason).toMatchObject({ code: 'CONFLICT' });
  });

  it('leaves CODE workers and those that are not there alone', async () => {
    await insertCodeWorker('worker-by-hand');
    const refusal = await update({ id: 'worker-by-hand', name: 'Other' });
    expect(refusal).toMatchObject({ ok: false, userErrors: [{ field: ['id'], code: 'WORKER_READ_ONLY' }] });
    await expect(update({ id: 'worker-none', name: 'Other' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

async function insertCodeWorker(id: string): Promise<void> {
  await database.pool.query(
    `with w as (insert into workers (id, kind, name, current_version) values ($1, 'CODE', 'By hand', 1) returning id)
     insert into worker_versions (worker_id, version, definition, timeout_ms, attempts_max) select id, 1, '{}', 1, 1 from w`,
    [id],
  );
}

describe('deleteWorker', () => {
  const remove = (id: string, expectedVersion?: number): ReturnType<typeof deleteWorker> =>
    deleteWorker({ database, keyring }, editor, { id, expectedVersion });

  async function insertWebhook(name: string, workerId: string, deleted: boolean): Promise<void> {
    const ownerId = newUuidV7();
    const webhookId = newUuidV7();
    await database.pool.query("insert into users (id, name, role) values ($1, 'Owner', 'owner')", [ownerId]);
    await database.pool.query(
      `insert into webhooks (id, name, active, execution_mode, dispatch, auth_method, owner_id, deleted_at)
       values ($1, $2, true, 'ASYNC', 'PARALLEL', 'API_KEY', $3, case when $4 then now() end)`,
      [webhookId, name, ownerId, deleted],
    );
    await database.pool.query('insert into webhook_workers (webhook_id, position, worker_id) values ($1, 0, $2)', [
      webhookId,
      workerId,
    ]);
  }

  it('takes it out of the list, but not from executions that were accepted before', async () => {
    answer = json(200, {});
    const { worker } = await create({ name: 'Short-lived' });
    expect(await remove(worker.id)).toEqual({ ok: true, value: { id: worker.id } });
    expect(await countWorkers(database.pool, { text: 'Short-lived' })).toBe(0);
    await expect(run(worker.id)).resolves.toBeDefined();
    await expect(remove(worker.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('refuses while webhooks use it, and names them', async () => {
    const { worker } = await create();
    await insertWebhook('Shop orders', worker.id, false);
    await insertWebhook('Former', worker.id, true);
    const outcome = await remove(worker.id);
    if (outcome.ok) throw new Error('it was deleted');
    expect(outcome.userErrors).toEqual([
      {
        field: ['id'],
        code: 'WORKER_IN_USE',
        message: expect.stringMatching(/Shop orders \(wh_[0-9a-z]{26}\)\.$/),
      },
    ]);
    expect(JSON.stringify(outcome)).not.toContain('Former');
  });

  it('does not count webhooks that are gone', async () => {
    const { worker } = await create();
    await insertWebhook('Former', worker.id, true);
    expect(await remove(worker.id)).toMatchObject({ ok: true });
  });

  it('refuses another version than the one seen, and CODE workers', async () => {
    const { worker } = await create();
    await expect(remove(worker.id, 2)).rejects.toMatchObject({ code: 'CONFLICT' });
    await insertCodeWorker('worker-by-hand-too');
    expect(await remove('worker-by-hand-too')).toMatchObject({
      ok: false,
      userErrors: [{ code: 'WORKER_READ_ONLY' }],
    });
  });

  it('leaves an audit log that fits together', async () => {
    expect(await verifyAudit(database.pool)).toMatchObject({ intact: true });
  });
});

describe('listWorkers', () => {
  const names = async (filter: WorkerFilter, order: WorkerOrder, page: Partial<KeysetRequest>) => {
    const { items, ...more } = await listWorkers(database.pool, filter, order, { limit: 2, fromEnd: false, ...page });
    return { names: items.map(({ row }) => row.name), cursors: items.map(({ cursor }) => cursor), ...more };
  };

  it('pages in both directions, filters by kind and text, and counts', async () => {
    for (const name of ['Page c', 'Page a', 'page 100%', 'Page b', 'Page b']) await create({ name });
    const filter = { text: 'PAGE', kind: 'HTTP' as const };
    const all: string[] = [];
    for (let after: string | undefined; ;) {
      const page = await names(filter, WORKERS_BY_NAME, { after });
      all.push(...page.names);
      after = page.cursors.at(-1);
      if (!page.hasNextPage) break;
    }
    expect(all).toEqual(['page 100%', 'Page a', 'Page b', 'Page b', 'Page c']);
    const last = await names(filter, WORKERS_BY_NAME, { fromEnd: true });
    expect(last).toMatchObject({ names: ['Page b', 'Page c'], hasNextPage: false, hasPreviousPage: true });
    const before = await names(filter, WORKERS_BY_NAME, { fromEnd: true, before: last.cursors[0] });
    expect(before).toMatchObject({ names: ['Page a', 'Page b'], hasNextPage: true, hasPreviousPage: true });
    expect(await countWorkers(database.pool, filter)).toBe(5);
    expect(await countWorkers(database.pool, { text: '100%' })).toBe(1);
    expect(await countWorkers(database.pool, { text: 'P%' })).toBe(0);
    expect(await countWorkers(database.pool, { ...filter, kind: 'AGENT' })).toBe(0);
  });

  it.each(['CREATED_AT', 'UPDATED_AT'] as const)('is in order of %s, too', async (field) => {
    const made: string[] = [];
    for (const name of ['one', 'two', 'three']) made.push((await create({ name: `${field} ${name}` })).worker.id);
    for (const id of [made[1]!, made[2]!, made[0]!]) {
      valueOf(await updateHttpWorker({ database, keyring }, editor, { id, description: 'changed' }));
    }
    const ascending = field === 'CREATED_AT' ? ['one', 'two', 'three'] : ['two', 'three', 'one'];
    const expected = ascending.map((name) => `${field} ${name}`);
    for (const descending of [false, true]) {
      const list = (page: Partial<KeysetRequest>) => names({ text: `${field} ` }, { field, descending }, page);
      const wanted = descending ? expected.toReversed() : expected;
      const first = await list({});
      expect(first).toMatchObject({ names: wanted.slice(0, 2), hasNextPage: true });
      expect((await list({ after: first.cursors[1] })).names).toEqual(wanted.slice(2));
      await expect(names({}, WORKERS_BY_NAME, { after: first.cursors[1] })).rejects.toMatchObject({
        code: 'BAD_USER_INPUT',
      });
    }
  });
});
