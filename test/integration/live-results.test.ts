import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import type { Sql } from '../../src/db/database.js';
import type { HttpOptions } from '../../src/http/http.js';
import { formatId, newRandomUuid } from '../../src/lib/ids.js';
import { asJsonText } from '../../src/lib/json-text.js';
import { type ExecutionFixture, openExecutionFixture, signal, type StoredCall } from '../support/execution-fixture.js';
import { openHttp, type TestHttp } from '../support/http.js';
import { pollUntil } from '../support/poll-until.js';
import { parseEvents, StreamReader } from '../support/sse.js';

/** More bytes than the sockets of both sides hold. */
const HUGE = 24 * 1024 * 1024;

let fixture: ExecutionFixture;
let http: TestHttp;
let tokenIsGood: boolean;
/** Names of the statements that the result routes ran. */
let reads: (string | undefined)[];
/** Lets the worker `held` end. */
let letGo: () => void;

/** Worker `held` runs until the test lets it go. */
beforeAll(async () => {
  fixture = await openExecutionFixture();
  await fixture.addWorker('quick', () => Promise.resolve({ result: asJsonText('{"n":12345678901234567890}') }));
  await fixture.addWorker('held', () => Promise.reject(new Error('each test says what it does')));
  await fixture.startRunner();
});

afterAll(() => fixture.close());

beforeEach(async () => {
  tokenIsGood = true;
  reads = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  letGo = resolve;
  fixture.changeWorker('held', async () => {
    await promise;
    return { result: asJsonText('"held"') };
  });
  http = await openResults();
});

afterEach(async () => {
  letGo();
  await http.close(0);
});

async function openResults(options: Partial<NonNullable<HttpOptions['results']>> = {}): Promise<TestHttp> {
  const { pool } = fixture.database;
  const sql: Sql = {
    query: (query: string | pg.QueryConfig) => {
      if (typeof query !== 'string') reads.push(query.name);
      return (pool as Sql).query(query as pg.QueryConfig) as never;
    },
  };
  return await openHttp({
    authenticate: ({ authorization }) =>
      Promise.resolve(
        authorization === 'Bearer good' && tokenIsGood
          ? { userId: newRandomUuid(), role: 'viewer', credential: { type: 'api-token', id: 'a' }, scopes: [] }
          : undefined,
      ),
    results: {
      sql,
      hub: fixture.hub,
      retentionHorizonMs: () => 0,
      verifyWebhookCredential: () => Promise.resolve(false),
      preferWaitMsMax: 20_000,
      waitersMax: 2,
      streamTimes: { heartbeatMs: 20 },
      ...options,
    },
  });
}

const executionPath = (call: StoredCall, i = 0): string =>
  `/api/v1/executions/${formatId('execution', call.executionIds[i]!)}`;

function get(path: string, headers: Record<string, string> = {}, hangUp?: AbortSignal): Promise<Response> {
  return fetch(http.url + path, {
    headers: { authorization: 'Bearer good', ...headers },
    ...(hangUp !== undefined && { signal: hangUp }),
  });
}

const stream = (path: string, headers: Record<string, string> = {}, hangUp?: AbortSignal): Promise<Response> =>
  get(path, { accept: 'text/event-stream', ...headers }, hangUp);

/** Resolves when the result routes have read this often: a long-poll waits after its second reading. */
const readOften = (statement: string, times: number): Promise<true> =>
  pollUntil(`${statement} ${times} times`, () =>
    Promise.resolve(reads.filter((name) => name === statement).length >= times || undefined),
  );

const isRunning = (call: StoredCall): Promise<true> =>
  pollUntil('a running execution', async () => (await fixture.read(call.callId))[0]!.status === 'RUNNING' || undefined);

describe('Prefer: wait on GET', () => {
  it('answers when the execution ends', async () => {
    const call = await fixture.store(['held']);
    const answer = get(executionPath(call), { prefer: 'wait=20' });
    await readOften('read-execution', 2);
    letGo();
    const response = await answer;
    expect(response.status).toBe(200);
    expect(response.headers.get('preference-applied')).toBe('wait=20');
    expect(response.headers.get('vary')).toBe('Accept, Prefer');
    expect(await response.json()).toMatchObject({ status: 'SUCCEEDED', result: 'held' });
  });

  it('answers with what there is at the deadline, and reads nothing meanwhile', async () => {
    const call = await fixture.store(['held']);
    await isRunning(call);
    const response = await get(executionPath(call), { prefer: 'wait=1' });
    expect(await response.json()).toMatchObject({ status: 'RUNNING', result: null });
    expect(response.headers.get('retry-after')).toBe('1');
    expect(reads.filter((name) => name === 'read-execution')).toHaveLength(3); // to authorize, to listen, at the end
  });

  it('caps the time', async () => {
    await http.close();
    http = await openResults({ preferWaitMsMax: 1_000 });
    const call = await fixture.store(['held']);
    const response = await get(executionPath(call), { prefer: 'wait=3600' });
    expect(response.headers.get('preference-applied')).toBe('wait=1');
    expect(await response.json()).not.toHaveProperty('success');
  });

  it.each(['wait=0', 'wait=soon', 'return=minimal', 'respond-async'])('does not wait for %s', async (prefer) => {
    const call = await fixture.store(['held']);
    expect((await get(executionPath(call), { prefer })).status).toBe(200);
    expect(reads.filter((name) => name === 'read-execution')).toHaveLength(1);
  });

  it('is not woken by steps and text, which are no part of the answer', async () => {
    const [begun, look] = [signal(), signal()];
    await fixture.addWorker('writes', async ({ steps, emitText }) => {
      begun.give();
      await look.given;
      for (const path of ['a', 'b', 'c']) {
        await steps.start(path);
        emitText(path);
        await steps.finish(path, { output: asJsonText('1') });
      }
      return { result: asJsonText('1') };
    });
    const call = await fixture.store(['writes']);
    await begun.given;
    const before = (await get(executionPath(call))).headers.get('etag')!;
    reads = [];
    const answer = get(executionPath(call), { prefer: 'wait=20', 'if-none-match': before });
    await readOften('read-execution', 2);
    look.give();
    expect(await (await answer).json()).toMatchObject({ status: 'SUCCEEDED' });
    expect(reads.filter((name) => name === 'read-execution').length).toBeLessThanOrEqual(3); // the last: its end
  });

  it('waits for a change with If-None-Match, and answers 304 at the deadline', async () => {
    const { given, give } = signal();
    await fixture.addWorker('later', async () => {
      await given;
      return { result: asJsonText('1') };
    });
    const call = await fixture.store(['held', 'later'], { dispatch: 'SEQUENTIAL' });
    const path = executionPath(call, 1);
    const before = (await get(path)).headers.get('etag')!;
    const unchanged = await get(path, { prefer: 'wait=1', 'if-none-match': before });
    expect(unchanged.status).toBe(304);
    expect(unchanged.headers.get('etag')).toBe(before);
    reads = [];
    const answer = get(path, { prefer: 'wait=20', 'if-none-match': before });
    await readOften('read-execution', 2);
    letGo();
    const changed = await answer;
    expect(changed.headers.get('etag')).not.toBe(before);
    expect(['QUEUED', 'RUNNING']).toContain(((await changed.json()) as { status: string }).status);
    const old = await get(path, { prefer: 'wait=20', 'if-none-match': before });
    expect(await old.json()).not.toHaveProperty('success'); // has changed already, and has not ended
    give();
    await fixture.end(call.callId);
    const tag = (await get(path)).headers.get('etag')!;
    expect((await get(path, { prefer: 'wait=20', 'if-none-match': tag })).status).toBe(304); // never changes again
  });

  it('waits for all executions of a call', async () => {
    const call = await fixture.store(['quick', 'held']);
    const answer = get(`/api/v1/calls/${formatId('call', call.callId)}`, { prefer: 'respond-async, wait="20"' });
    await readOften('read-call-executions', 2);
    letGo();
    const response = await answer;
    expect(response.headers.get('preference-applied')).toBe('wait=20');
    expect(await response.json()).toMatchObject({
      outcome: 'SUCCEEDED',
      executions: [{ status: 'SUCCEEDED' }, { status: 'SUCCEEDED' }],
    });
  });

  it('refuses those beyond the limit, until somebody hangs up', async () => {
    const [held, ended] = [await fixture.store(['held']), await fixture.store(['quick'])];
    await fixture.end(ended.callId);
    const hangUp = new AbortController();
    const first = get(executionPath(held), { prefer: 'wait=20' }, hangUp.signal).catch(() => 'hung up');
    const second = stream(executionPath(held));
    await Promise.all([readOften('read-execution', 4), second]);
    const refused = await get(executionPath(held), { prefer: 'wait=20' });
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('5');
    expect(await refused.json()).toMatchObject({ success: false, code: 'TOO_MANY_WAITERS' });
    expect((await stream(executionPath(held))).status).toBe(503);
    expect((await get(executionPath(held))).status).toBe(200);
    expect((await get(executionPath(ended), { prefer: 'wait=20' })).status).toBe(200); // there is nothing to wait for
    hangUp.abort();
    expect(await first).toBe('hung up');
    await pollUntil('a free place', async () => {
      const { status, body } = await stream(executionPath(held));
      await body!.cancel();
      return status === 200 || undefined;
    });
  });

  it('is answered with what there is when the process stops', async () => {
    const call = await fixture.store(['held']);
    await isRunning(call);
    const answer = get(executionPath(call), { prefer: 'wait=20' });
    await readOften('read-execution', 2);
    const startedMs = performance.now();
    await http.close(60_000); // waits for the answer
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    expect(await (await answer).json()).toMatchObject({ status: 'RUNNING' });
  });
});

describe('Accept: text/event-stream', () => {
  it('tells everything that happens to an execution, and ends with its result', async () => {
    const call = await fixture.store(['held'], { body: '{"a":1,\r\n"b":\r2,\n"c":"ü"}' });
    const response = await stream(executionPath(call));
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(response.headers.get('cache-control')).toBe('no-store, no-transform');
    expect(response.headers.get('x-accel-buffering')).toBe('no');
    expect(response.headers.get('content-encoding')).toBeNull();
    expect(response.headers.get('vary')).toContain('Accept');
    const reader = new StreamReader(response);
    await reader.until((text) => text.includes('RUNNING'));
    letGo();
    const text = await reader.toEnd();
    expect(text.startsWith('retry: 2000\n\n')).toBe(true);
    const events = parseEvents(text);
    expect(events.map(({ event, id }) => `${event} ${id}`)).toEqual(['status 1', 'status 2', 'status 3', 'done 4']);
    expect(events.slice(0, 3).map(({ data }) => JSON.parse(data) as unknown)).toEqual([
      { at: expect.stringMatching(/Z$/), status: 'QUEUED', attempt: 0 },
      { at: expect.stringMatching(/Z$/), status: 'RUNNING', attempt: 1 },
      { at: expect.stringMatching(/Z$/), status: 'SUCCEEDED', attempt: 1 },
    ]);
    const plain = await (await get(executionPath(call))).text();
    expect(events[3]!.data).toBe(plain.replaceAll(/\r\n?/g, '\n'));
  });

  it('goes on behind the event that a client names, without a gap or a repeat', async () => {
    const call = await fixture.store(['quick']);
    await fixture.end(call.callId);
    const path = executionPath(call);
    const ids = async (query: string, headers: Record<string, string> = {}): Promise<unknown> => {
      const response = await stream(path + query, headers);
      return response.status === 200 ? parseEvents(await response.text()).map(({ id }) => id) : response.status;
    };
    expect(await ids('')).toEqual(['1', '2', '3', '4']);
    expect(await ids('', { 'last-event-id': '1' })).toEqual(['2', '3', '4']);
    expect(await ids('?lastEventId=2')).toEqual(['3', '4']);
    expect(await ids('?lastEventId=1', { 'last-event-id': '3' })).toEqual(['4']);
    expect(await ids('', { 'last-event-id': '4' })).toBe(204);
    for (const id of ['5', '-1', 'x', '1e1', '9999999999']) expect(await ids('', { 'last-event-id': id })).toBe(400);
    expect(await ids('?lastEventId=1&lastEventId=2')).toBe(400);
  });

  it('knows no end of an execution that has none', async () => {
    const call = await fixture.store(['held', 'held'], { dispatch: 'SEQUENTIAL' });
    expect((await stream(executionPath(call, 1), { 'last-event-id': '2' })).status).toBe(400);
  });

  it('sends comments while nothing happens', async () => {
    const call = await fixture.store(['held']);
    const reader = new StreamReader(await stream(executionPath(call)));
    await reader.until((text) => text.includes(':\n\n:\n\n:\n\n'));
    await reader.hangUp();
  });

  it('is for those who ask for it', async () => {
    const call = await fixture.store(['held']);
    for (const accept of ['*/*', 'application/json', 'text/html', 'application/json, text/event-stream;q=0.5']) {
      const response = await stream(executionPath(call), { accept });
      expect(response.headers.get('content-type')).toContain('application/json');
    }
    const path = http.url + executionPath(call);
    const headers = { authorization: 'Bearer good', accept: 'text/event-stream' };
    expect((await fetch(path, { method: 'HEAD', headers })).headers.get('content-type')).toContain('application/json');
  });

  it('opens to nobody to whom the plain answer does not, and ends when that changes', async () => {
    const call = await fixture.store(['held']);
    expect((await stream(executionPath(call), { authorization: 'Bearer bad' })).status).toBe(404);
    const reader = new StreamReader(await stream(executionPath(call)));
    await reader.until((text) => text.includes(':\n\n'));
    tokenIsGood = false;
    await expect(reader.toEnd()).rejects.toThrow('terminated');
  });

  /** Asks for a stream of more than the sockets hold and takes none of it; resolves when it is being sent. */
  async function openStuckStream(call: StoredCall): Promise<Socket> {
    const socket = connect(http.port, '127.0.0.1');
    socket.pause();
    socket.on('error', () => undefined);
    socket.write(
      `GET ${executionPath(call)} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nAccept: text/event-stream\r\n\r\n`,
    );
    await readOften('read-request-body', 1);
    return socket;
  }

  /** Asks until there is a place in a server that has one. */
  const getPlace = (call: StoredCall): Promise<Response> =>
    pollUntil('a free place', async () => {
      const response = await stream(executionPath(call));
      return response.status === 200 ? response : undefined;
    });

  it('is sent as fast as the client takes it', async () => {
    await http.close();
    http = await openResults({ waitersMax: 1, streamTimes: {} });
    const call = await fixture.store(['quick'], { body: JSON.stringify({ a: 'x'.repeat(HUGE) }) });
    await fixture.end(call.callId);
    const socket = await openStuckStream(call);
    expect((await stream(executionPath(call))).status).toBe(503);
    socket.destroy();
    const response = await getPlace(call);
    expect(parseEvents(await response.text()).at(-1)!.data.length).toBeGreaterThan(HUGE);
  });

  it('is cut for a client that takes nothing of it', async () => {
    await http.close();
    http = await openResults({ waitersMax: 1, streamTimes: { stuckMs: 50 } });
    const call = await fixture.store(['quick'], { body: JSON.stringify({ a: 'x'.repeat(HUGE) }) });
    await fixture.end(call.callId);
    const socket = await openStuckStream(call);
    await (await getPlace(call)).body!.cancel();
    socket.resume();
    await once(socket, 'close');
  });

  it('leaves the database to others however many there are', async () => {
    await http.close();
    http = await openResults({ waitersMax: 300 });
    const call = await fixture.store(['held']);
    const responses = await Promise.all(Array.from({ length: 300 }, () => stream(executionPath(call))));
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
    const { pool } = fixture.database;
    let waitingMost = 0;
    const watch = setInterval(() => (waitingMost = Math.max(waitingMost, pool.waitingCount)), 1);
    letGo();
    const texts = await Promise.all(responses.map((response) => response.text()));
    clearInterval(watch);
    for (const text of texts) expect(parseEvents(text).at(-1)).toMatchObject({ event: 'done', id: '4' });
    expect(waitingMost).toBeLessThan(10);
  });

  it('ends when the process stops; another one goes on with it', async () => {
    const call = await fixture.store(['held']);
    const reader = new StreamReader(await stream(executionPath(call)));
    await reader.until((text) => text.includes('RUNNING'));
    await http.close(60_000);
    expect(parseEvents(await reader.toEnd()).map(({ id }) => id)).toEqual(['1', '2']);
    http = await openResults();
    const rest = stream(executionPath(call), { 'last-event-id': '2' });
    letGo();
    expect(parseEvents(await (await rest).text()).map(({ id }) => id)).toEqual(['3', '4']);
  });
});
