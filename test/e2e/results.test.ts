import { createHmac } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EventSource } from 'eventsource';
import {
  ADMIN_TOKEN,
  type CreatedWebhook,
  createWebhook,
  databaseEnv,
  type GatewayProcess,
  startGatewayProcess,
  type WebhookInput,
} from '../support/gateway-process.js';
import { pollUntil } from '../support/poll-until.js';
import { postCall } from '../support/post-call.js';
import { parseEvents, StreamReader } from '../support/sse.js';
import { openTcpProxy } from '../support/tcp-proxy.js';
import { readPage, textsOf } from '../support/page.js';
import { runScript } from '../support/shell.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

let database: TestDatabase;
/** Takes the calls and answers for their results. */
let front: GatewayProcess;
/** Starts only when a test wants it. */
let runner: Promise<GatewayProcess> | undefined;

const start = (ROLES: string): Promise<GatewayProcess> =>
  startGatewayProcess({
    env: { ...databaseEnv(database.url), ROLES, WORKERS_DIR: 'test/support/workers', PREFER_WAIT_MS_MAX: '20000' },
  });

beforeAll(async () => {
  database = await createTestDatabase();
  // The front has loaded the workers into the database before the runner asks for them.
  front = await start('ingress,admin');
});

afterAll(async () => {
  await Promise.all([front.end('SIGTERM'), runner?.then((started) => started.end('SIGTERM'))]);
  await database.drop();
});

const create = (input: WebhookInput = {}): Promise<CreatedWebhook> =>
  createWebhook(front, { authentication: { method: 'SECRET_HEADER' }, ...input });

interface AnswerBody {
  readonly executionMode: string;
  readonly callId: string;
  readonly status: string;
  readonly results: readonly { readonly executionId: string; readonly result?: unknown }[];
}

const post = postCall<AnswerBody>;

async function readExecution(id: string, headers: Record<string, string> = {}): Promise<{ status: string }> {
  const response = await fetch(`${front.url}/api/v1/executions/${id}`, {
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, ...headers },
  });
  return (await response.json()) as { status: string };
}

describe('while no runner is there', () => {
  it('a wait is answered 202 at its deadline', async () => {
    const answer = await post(await create(), '{}', { prefer: 'wait=1' });
    expect(answer.status).toBe(202);
    expect(answer.headers.get('preference-applied')).toBe('wait=1');
    expect(answer.headers.get('location')).toMatch(/^\/api\/v1\/executions\//);
    expect(answer.body).toMatchObject({ executionMode: 'sync', status: 'accepted' });
  });

  it('a process that stops answers those who wait, and ends streams, at once', async () => {
    const other = await start('ingress');
    const webhook = await create({ executionMode: 'SYNC' });
    const here = (path: string): string => `${other.url}${path}`;
    const { body } = await post(webhook, '{}', { prefer: 'respond-async' });
    const path = `/api/v1/executions/${body.results[0]!.executionId}`;
    const headers = { 'x-webhook-secret': webhook.secret };
    const reader = new StreamReader(await fetch(here(path), { headers: { ...headers, accept: 'text/event-stream' } }));
    await reader.until((text) => text.includes('QUEUED'));
    const polled = fetch(here(path), { headers: { ...headers, prefer: 'wait=20' } });
    const posted = post({ ...webhook, url: webhook.url.replace(front.url, other.url) }, '{}', { prefer: 'wait=20' });
    // Both are on their way; whichever has not arrived when the process stops would be refused.
    await pollUntil('the call of the one that waits', async () => (await callsOf(webhook)).length === 2 || undefined);
    const startedMs = performance.now();
    expect(await other.end('SIGTERM')).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    expect(parseEvents(await reader.toEnd()).map(({ id }) => id)).toEqual(['1']);
    expect(await (await polled).json()).toMatchObject({ status: 'QUEUED' });
    expect((await posted).status).toBe(202);
  });

  it('an EventSource that is cut off goes on in the same stream when one comes', async () => {
    const webhook = await create({ authentication: { method: 'HMAC_SIGNATURE' } });
    const body = '{"a":1,\r\n"n":12345678901234567890}';
    const signature = `sha256=${createHmac('sha256', webhook.secret).update(body).digest('hex')}`;
    const answer = await post(webhook, body, { 'x-webhook-signature': signature });
    const proxy = await openTcpProxy(Number(new URL(front.url).port));
    const source = new EventSource(`http://127.0.0.1:${proxy.port}${answer.headers.get('location')}`);
    try {
      const ids: string[] = [];
      const statuses: string[] = [];
      const done = new Promise<string>((resolve) => {
        source.addEventListener('status', ({ lastEventId, data }) => {
          ids.push(lastEventId);
          statuses.push((JSON.parse(data as string) as { status: string }).status);
          if (ids.length !== 1) return;
          proxy.cut();
          runner = start('runner');
        });
        source.addEventListener('done', ({ lastEventId, data }) => {
          ids.push(lastEventId);
          resolve(data as string);
        });
      });
      const closedBy = new Promise<unknown>((resolve) => {
        source.addEventListener('error', ({ code }) => {
          if (source.readyState === source.CLOSED) resolve(code);
        });
      });
      expect(await done).toContain('"inputParams":{"a":1,\n"n":12345678901234567890}');
      expect(statuses).toEqual(['QUEUED', 'RUNNING', 'SUCCEEDED']);
      expect(await closedBy).toBe(204);
      expect(ids).toEqual(['1', '2', '3', '4']);
    } finally {
      source.close();
      proxy.close();
    }
  });
});

async function callsOf(webhook: CreatedWebhook): Promise<{ outcome: string; executions: { id: string }[] }[]> {
  const { calls } = await front.graphql<{
    calls: { edges: { node: { outcome: string; executions: { id: string }[] } }[] };
  }>('query ($id: ID!) { calls(first: 10, webhookId: $id) { edges { node { outcome executions { id } } } } }', webhook);
  return calls.edges.map(({ node }) => node);
}

describe('with a runner in a process of its own', () => {
  beforeAll(async () => {
    await (runner ??= start('runner'));
  });

  it('a sync webhook answers at once to respond-async', async () => {
    const webhook = await create({ executionMode: 'SYNC', workerIds: ['worker-slow-echo'] });
    const answer = await post(webhook, '{"delayMs":100}', { prefer: 'respond-async' });
    expect(answer.status).toBe(202);
    expect(answer.headers.get('preference-applied')).toBe('respond-async');
    expect(answer.body).toMatchObject({ executionMode: 'async', status: 'accepted' });
    const { executionId } = answer.body.results[0]!;
    expect(await readExecution(executionId, { prefer: 'wait=20' })).toMatchObject({
      status: 'SUCCEEDED',
      result: { delayMs: 100 },
    });
    expect((await post(webhook, '{"delayMs":1}')).headers.get('preference-applied')).toBeNull();
  });

  it('an async webhook waits for a caller that prefers it', async () => {
    const answer = await post(await create(), '{"n":1}', { prefer: 'respond-async, wait=30' });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('preference-applied')).toBe('respond-async, wait=20');
    expect(answer.body).toMatchObject({ executionMode: 'sync', status: 'completed', results: [{ result: { n: 1 } }] });
    const failed = await post(await create({ workerIds: ['worker-failing'] }), '{}', { prefer: 'wait=20' });
    expect(failed.status).toBe(500);
    expect(failed.headers.get('preference-applied')).toBe('wait=20');
    expect(failed.body.executionMode).toBe('sync');
  });

  it('a caller that hangs up cancels nothing', async () => {
    const webhook = await create({ executionMode: 'SYNC', workerIds: ['worker-slow-echo'] });
    const body = '{"delayMs":300}';
    const socket = connect(Number(new URL(front.url).port), '127.0.0.1');
    socket.write(
      `POST ${new URL(webhook.url).pathname} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n` +
        `X-Webhook-Secret: ${webhook.secret}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const [call] = await pollUntil('the call', async () => {
      const calls = await callsOf(webhook);
      return calls.length > 0 ? calls : undefined;
    });
    expect(call!.outcome).toBe('ACCEPTED'); // so the caller still waits
    socket.destroy();
    expect(await readExecution(call!.executions[0]!.id, { prefer: 'wait=20' })).toMatchObject({ status: 'SUCCEEDED' });
  });

  /** What each command of docs/results.md, in its order, must print. */
  const PRINTED: readonly RegExp[] = [
    /^HTTP\/1.1 202 [^]*Preference-Applied: respond-async[^]*"executionMode":"async"/,
    /^HTTP\/1.1 200 [^]*Preference-Applied: wait=20[^]*"executionMode":"sync"[^]*"result":\{"id":1\}/,
    /^HTTP\/1.1 200 [^]*ETag: "[^]*"status":"SUCCEEDED"/,
    /^HTTP\/1.1 200 [^]*"outcome":"SUCCEEDED"[^]*"executions":\[\{/,
    /^HTTP\/1.1 304 /,
    /^HTTP\/1.1 200 [^]*"executionId":"exec-/,
    /^HTTP\/1.1 200 [^]*Preference-Applied: wait=20[^]*"status":"SUCCEEDED"/,
    /^HTTP\/1.1 200 [^]*Preference-Applied: wait=20[^]*"outcome":"SUCCEEDED"/,
    /^HTTP\/1.1 200 [^]*id: 1\ndata[^]*id: 3\ndata[^]*event: done\nid: 4\ndata: \{"success":true,/,
    /^HTTP\/1.1 200 [^]*retry: 2000\n\nevent: status\nid: 3\ndata[^]*event: done\nid: 4\n/,
  ];

  it('every command of docs/results.md does what the page says', async () => {
    const commands = textsOf(await readPage('docs/results.md'), 'sh');
    expect(commands).toHaveLength(PRINTED.length);
    const webhook = await create();
    const { body } = await post(webhook, '{"id":1}', { prefer: 'wait=20' });
    const env = {
      WORKHOOK: front.url,
      WEBHOOK_URL: webhook.url,
      WEBHOOK_SECRET: webhook.secret,
      TOKEN: ADMIN_TOKEN,
      EXECUTION_ID: body.results[0]!.executionId,
      CALL_ID: body.callId,
    };
    for (const [i, command] of commands.entries()) {
      expect(await runScript(command, env)).toMatch(PRINTED[i]!);
    }
  });
});
