import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { Principal } from '../../src/access/principal.js';
import { sessionTokenIn } from '../../src/access/session-cookie.js';
import { EventHub } from '../../src/events/event-hub.js';
import { LinkSigner } from '../../src/http/signed-link.js';
import { systemClock } from '../../src/lib/clock.js';
import { formatId, newRandomUuid, newUuidV7 } from '../../src/lib/ids.js';
import { openHttp, type TestHttp } from '../support/http.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const DAY_MS = 86_400_000;
/** Bytes that no parser gives back: order, spaces, a number beyond 2^53, escapes, a repeated key. */
const BODY = Buffer.from('{"b": 1,\t"a":12345678901234567890,"u":"\\u0000\u00e9\\ud800","b":1e400}\n');

const links = new LinkSigner(Buffer.alloc(32, 1), systemClock);
const webhookId = newRandomUuid();
const principal: Principal = {
  userId: newRandomUuid(),
  role: 'viewer',
  credential: { type: 'api-token', id: newRandomUuid() },
  scopes: [],
};

let database: TestDatabase;
let pool: pg.Pool;
let http: TestHttp;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 4 });
  http = await openHttp({
    links,
    authenticate: ({ authorization, cookie }) => {
      if (authorization === 'Bearer narrow') return Promise.resolve({ ...principal, scopes: ['webhooks:read'] });
      if (authorization === 'Bearer half') return Promise.resolve({ ...principal, scopes: ['executions:read'] });
      const known = authorization === 'Bearer good' || sessionTokenIn(cookie) === 'session';
      return Promise.resolve(known ? principal : undefined);
    },
    results: {
      sql: pool,
      hub: new EventHub(),
      preferWaitMsMax: 60_000,
      waitersMax: 10,
      retentionHorizonMs: () => Date.now() - 90 * DAY_MS,
      verifyWebhookCredential: (id, { rawHeaders }) => {
        const at = rawHeaders.findIndex((name) => name.toLowerCase() === 'x-webhook-secret');
        return Promise.resolve(id === webhookId && at !== -1 && rawHeaders[at + 1] === 'the-secret');
      },
    },
  });
});

afterAll(async () => {
  await http.close();
  await pool.end();
  await database.drop();
});

interface Rows {
  readonly callUuid: string;
  readonly callId: string;
  /** By position. */
  readonly executionUuids: readonly string[];
  readonly executionIds: readonly string[];
}

/** Stores a call with one execution a status. */
async function insertCall(...statuses: readonly string[]): Promise<Rows> {
  const atMs = Date.now();
  const callUuid = newUuidV7(atMs);
  await pool.query(
    `insert into calls (id, webhook_id, received_at, execution_mode, dispatch, outcome, is_test, source_ip,
       request_headers, request_body, pending)
     values ($1, $2, to_timestamp($3::float8 / 1000), 'ASYNC', 'SEQUENTIAL', 'ACCEPTED', false, '203.0.113.9', '{}', $4, 1)`,
    [callUuid, webhookId, atMs, BODY],
  );
  const executionUuids: string[] = [];
  for (const [position, status] of statuses.entries()) {
    const id = newUuidV7(atMs);
    executionUuids.push(id);
    await pool.query(
      `insert into executions (id, call_id, webhook_id, worker_id, worker_version, position, status, attempt, queued_at)
       values ($1, $2, $3, $4, 1, $5, $6, 1, to_timestamp($7::float8 / 1000))`,
      [id, callUuid, webhookId, `worker-${position}`, position, status, atMs],
    );
  }
  return {
    callUuid,
    callId: formatId('call', callUuid),
    executionUuids,
    executionIds: executionUuids.map((id) => formatId('execution', id)),
  };
}

async function finish(executionUuid: string, result: string): Promise<void> {
  await pool.query(
    `update executions set status = 'SUCCEEDED', result = $2, started_at = queued_at, finished_at = now(),
       prompt_tokens = 7, last_event_seq = last_event_seq + 1 where id = $1`,
    [executionUuid, result],
  );
}

function get(path: string, headers: Record<string, string> = { authorization: 'Bearer good' }): Promise<Response> {
  return fetch(http.url + path, { headers });
}

describe('GET /api/v1/executions/{id}', () => {
  let rows: Rows;
  let path: string;
  beforeEach(async () => {
    rows = await insertCall('RUNNING');
    path = `/api/v1/executions/${rows.executionIds[0]}`;
  });

  it('shows an execution that runs, and when to ask again', async () => {
    const response = await get(path);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain('application/json');
    expect(response.headers.get('retry-after')).toBe('1');
    expect(response.headers.get('cache-control')).toBe('no-store');
    const text = await response.text();
    expect(text.endsWith(`"inputParams":${BODY.toString('utf8')}}`)).toBe(true);
    expect(JSON.parse(text)).toMatchObject({
      executionId: rows.executionIds[0],
      callId: rows.callId,
      webhookId: formatId('webhook', webhookId),
      workerId: 'worker-0',
      workerVersion: 1,
      status: 'RUNNING',
      attempt: 1,
      startedAt: null,
      finishedAt: null,
      result: null,
      error: null,
    });
    expect(JSON.parse(text)).not.toHaveProperty('success');
  });

  it('shows the result as it was stored', async () => {
    const result = '{"n":12345678901234567890, "z":1,"a":2}';
    await finish(rows.executionUuids[0]!, result);
    const response = await get(path);
    expect(response.headers.get('retry-after')).toBeNull();
    const text = await response.text();
    expect(text).toContain(`"result":${result},`);
    expect(JSON.parse(text)).toMatchObject({ success: true, status: 'SUCCEEDED', promptTokens: 7 });
  });

  it('answers 304 until something changes', async () => {
    const tag = (await get(path)).headers.get('etag')!;
    expect(tag).toMatch(/^"[\w-]{22}"$/);
    const headers = { authorization: 'Bearer good', 'if-none-match': `"other", W/${tag}` };
    const unchanged = await get(path, headers);
    expect(unchanged.status).toBe(304);
    expect(unchanged.headers.get('etag')).toBe(tag);
    expect(unchanged.headers.get('retry-after')).toBe('1');
    expect(await unchanged.text()).toBe('');
    await finish(rows.executionUuids[0]!, '1');
    const changed = await get(path, headers);
    expect(changed.status).toBe(200);
    expect(changed.headers.get('etag')).not.toBe(tag);
  });

  it.each([
    ['an API token', { authorization: 'Bearer good' }],
    ['a session', { cookie: 'workhook_session=session' }],
    ["the webhook's secret", { 'x-webhook-secret': 'the-secret' }],
  ])('opens to %s', async (_, headers) => {
    expect((await get(path, headers as Record<string, string>)).status).toBe(200);
  });

  it.each([
    ['nobody', {}],
    ['a wrong token', { authorization: 'Bearer bad' }],
    ['a wrong session', { cookie: 'workhook_session=other' }],
    ['a wrong secret', { 'x-webhook-secret': 'other' }],
  ])('tells %s what it tells of an unknown one', async (_, headers) => {
    const [known, unknown] = await Promise.all(
      [path, `/api/v1/executions/${formatId('execution', newUuidV7())}`].map((url) =>
        get(url, { ...headers, 'x-request-id': 'same' }),
      ),
    );
    expect(known!.status).toBe(404);
    expect(await known!.json()).toEqual(await unknown!.json());
  });

  it('refuses a token without the permission', async () => {
    expect((await get(path, { authorization: 'Bearer narrow' })).status).toBe(403);
    // The body of the call is in these answers, which GraphQL shows to nobody without calls:read.
    const half = await get(path, { authorization: 'Bearer half' });
    expect([half.status, await half.text()]).toEqual([403, expect.stringContaining('calls:read')]);
  });

  it('opens to the signed link to it, and to no other', async () => {
    expect((await get(links.sign(path), {})).status).toBe(200);
    const other = await insertCall('RUNNING');
    const query = new URL(links.sign(path), http.url).search;
    expect((await get(`/api/v1/executions/${other.executionIds[0]}${query}`, {})).status).toBe(404);
    expect((await get(`/api/v1/calls/${rows.callId}${query}`, {})).status).toBe(404);
    const past = new LinkSigner(Buffer.alloc(32, 1), {
      nowMs: () => Date.now() - 2 * DAY_MS,
      monotonicMs: () => 0,
    });
    const expired = await get(past.sign(path), {});
    expect(expired.status).toBe(401);
    expect(expired.headers.get('www-authenticate')).toMatch(/^Bearer/);
  });

  it('opens to a token and to the secret of the webhook whatever became of the link', async () => {
    const past = new LinkSigner(Buffer.alloc(32, 1), { ...systemClock, nowMs: () => Date.now() - 2 * DAY_MS });
    const link = past.sign(path);
    expect((await get(link)).status).toBe(200);
    expect((await get(link, { 'x-webhook-secret': 'the-secret' })).status).toBe(200);
    expect((await get(link, { 'x-webhook-secret': 'another' })).status).toBe(401);
    expect((await get(link, { authorization: 'Bearer narrow' })).status).toBe(403);
  });

  it('tells what is gone from what never was', async () => {
    const old = formatId('execution', newUuidV7(Date.now() - 91 * DAY_MS));
    const gone = await get(`/api/v1/executions/${old}`);
    expect(gone.status).toBe(410);
    expect(await gone.json()).toMatchObject({ code: 'GONE' });
    expect((await get(`/api/v1/executions/${formatId('execution', newUuidV7())}`)).status).toBe(404);
    for (const malformed of ['exec-1', 'x', rows.callId, `${rows.executionIds[0]}x`, '%00', '%']) {
      expect((await get(`/api/v1/executions/${malformed}`)).status).toBe(404);
    }
  });

  it('answers HEAD without a body', async () => {
    const response = await fetch(http.url + path, {
      method: 'HEAD',
      headers: { authorization: 'Bearer good' },
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('etag')).not.toBeNull();
  });
});

describe('GET /api/v1/calls/{id}', () => {
  it('shows the call with its executions in order', async () => {
    const rows = await insertCall('RUNNING', 'WAITING');
    const path = `/api/v1/calls/${rows.callId}`;
    const response = await get(links.sign(path), {});
    expect(response.status).toBe(200);
    expect(response.headers.get('retry-after')).toBe('1');
    const text = await response.text();
    expect(text.endsWith(`"inputParams":${BODY.toString('utf8')}}`)).toBe(true);
    expect(JSON.parse(text)).toMatchObject({
      callId: rows.callId,
      outcome: 'ACCEPTED',
      executionMode: 'async',
      dispatch: 'sequential',
      executions: [
        { executionId: rows.executionIds[0], status: 'RUNNING' },
        { executionId: rows.executionIds[1], status: 'WAITING' },
      ],
    });

    const tag = response.headers.get('etag')!;
    const headers = { authorization: 'Bearer good', 'if-none-match': tag };
    expect((await get(path, headers)).status).toBe(304);
    await finish(rows.executionUuids[0]!, '1');
    expect((await get(path, headers)).status).toBe(200);
    await finish(rows.executionUuids[1]!, '1');
    expect((await get(path)).headers.get('retry-after')).toBeNull();
  });

  it('does not show the body of a rejected call as JSON', async () => {
    const { callUuid, callId } = await insertCall();
    await pool.query("update calls set outcome = 'REJECTED_MALFORMED', request_body = '{\"a\":' where id = $1", [
      callUuid,
    ]);
    expect(await (await get(`/api/v1/calls/${callId}`)).json()).toMatchObject({
      inputParams: null,
      executions: [],
    });
  });

  it('answers 404 and 410 like an execution', async () => {
    expect((await get(`/api/v1/calls/${formatId('call', newUuidV7())}`)).status).toBe(404);
    expect((await get(`/api/v1/calls/${formatId('call', newUuidV7(Date.now() - 91 * DAY_MS))}`)).status).toBe(410);
    const { callId } = await insertCall('QUEUED');
    expect((await get(`/api/v1/calls/${callId}`, {})).status).toBe(404);
    expect((await get(`/api/v1/calls/${callId}`, { 'x-webhook-secret': 'the-secret' })).status).toBe(200);
  });
});

describe("EverWorker's own form", () => {
  it('says started, ended and failed', async () => {
    const rows = await insertCall('QUEUED', 'QUEUED');
    const path = (i: number): string => `/api/v1/execution-result?executionId=${rows.executionIds[i]}`;
    const started = await get(path(0));
    expect(started.headers.get('retry-after')).toBe('1');
    expect(await started.json()).toEqual({
      success: true,
      status: 'started',
      executionStarted: expect.stringMatching(/Z$/),
    });
    await finish(rows.executionUuids[0]!, '{"a": 1}');
    expect(await (await get(path(0))).json()).toEqual({
      success: true,
      status: 'ended',
      executionStarted: expect.any(String),
      executionEnded: expect.any(String),
      result: { a: 1 },
    });
    await pool.query(
      `update executions set status = 'FAILED', started_at = now(), finished_at = now(),
         error = '{"code":"WORKER_FAILED","message":"no stock","retryable":false}' where id = $1`,
      [rows.executionUuids[1]],
    );
    expect(await (await get(path(1))).json()).toMatchObject({
      success: false,
      status: 'failed',
      error: 'no stock',
    });
  });

  it('opens to the signed link of the execution', async () => {
    const rows = await insertCall('QUEUED');
    const query = new URL(links.sign(`/api/v1/executions/${rows.executionIds[0]}`), http.url).search.slice(1);
    const path = `/api/v1/execution-result?executionId=${rows.executionIds[0]}`;
    expect((await get(`${path}&${query}`, {})).status).toBe(200);
    expect((await get(path, {})).status).toBe(404);
  });

  it('lists the steps of an execution', async () => {
    const rows = await insertCall('RUNNING');
    const path = `/api/v1/execution-logs?executionId=${rows.executionIds[0]}`;
    expect(await (await get(path)).json()).toMatchObject({ status: 'started', nodeResults: [] });
    await pool.query(
      `insert into execution_steps (execution_id, path, attempt, status, output, started_at, finished_at)
       values ($1, 'draft', 1, 'SUCCEEDED', '{"n":12345678901234567890}', now(), now())`,
      [rows.executionUuids[0]],
    );
    const text = await (await get(path)).text();
    expect(text).toContain('"nodeId":"draft","status":"SUCCEEDED","attempt":1,');
    expect(text).toContain('"result":{"n":12345678901234567890}}]');
  });

  it('asks for the id when there is none', async () => {
    for (const query of ['', '?executionId=', '?executionId=a&executionId=b']) {
      const response = await get(`/api/v1/execution-result${query}`);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ code: 'BAD_USER_INPUT' });
    }
  });
});
