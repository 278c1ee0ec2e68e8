import { createHmac } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { formatId, parseId } from '../../src/lib/ids.js';
import { type Gate, openGate } from '../support/gate.js';
import {
  createWebhook,
  type CreatedWebhook,
  databaseEnv,
  type GatewayProcess,
  startGatewayProcess,
  type WebhookInput,
} from '../support/gateway-process.js';
import { pollUntil } from '../support/poll-until.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const REPEATS = 1_000;

let database: TestDatabase;
let sql: pg.Pool;
let gateway: GatewayProcess;
let other: GatewayProcess;

const start = (ROLES: string): Promise<GatewayProcess> =>
  startGatewayProcess({ env: { ...databaseEnv(database.url), ROLES, WORKERS_DIR: 'test/support/workers' } });

beforeAll(async () => {
  database = await createTestDatabase();
  sql = new pg.Pool({ connectionString: database.url, max: 2 });
  gateway = await start('ingress,admin,runner');
  other = await start('ingress');
});

afterAll(async () => {
  await Promise.all([gateway, other].map((process) => process.end('SIGTERM')));
  await sql.end();
  await database.drop();
});

const webhookOf = (input: WebhookInput = {}): Promise<CreatedWebhook> =>
  createWebhook(gateway, { authentication: { method: 'SECRET_HEADER' }, ...input });

interface Answer {
  readonly status: number;
  readonly replayed: string | null;
  // oxlint-disable-next-line typescript/no-explicit-any -- a body of any outcome
  readonly body: any;
}

async function post(
  webhook: CreatedWebhook,
  {
    body = '{"a":1}',
    headers = {},
    at = gateway,
  }: { body?: string; headers?: Record<string, string>; at?: GatewayProcess },
): Promise<Answer> {
  const response = await fetch(webhook.url.replace(gateway.url, at.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-webhook-secret': webhook.secret, ...headers },
    body,
  });
  return {
    status: response.status,
    replayed: response.headers.get('idempotent-replayed'),
    body: await response.json(),
  };
}

const keyed = (key: string): { readonly headers: Record<string, string> } => ({ headers: { 'idempotency-key': key } });

/** What is said of a call and stays the same when it is told again. */
const idsOf = ({ body: { callId, results } }: Answer): unknown => ({
  callId,
  executionIds: (results as { executionId: string }[]).map(({ executionId }) => executionId),
});

async function countOf(webhook: CreatedWebhook, outcome: string): Promise<number> {
  const { rows } = await sql.query<{ calls: number }>(
    'select coalesce(sum(calls), 0)::integer as calls from call_statistics where webhook_id = $1 and outcome = $2',
    [parseId('webhook', webhook.id), outcome],
  );
  return rows[0]!.calls;
}

const counted = (webhook: CreatedWebhook, outcome: string, calls: number): Promise<true> =>
  pollUntil(`${calls} ${outcome}`, async () => (await countOf(webhook, outcome)) === calls || undefined);

async function storedExecutions(webhook: CreatedWebhook): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>('select id from executions where webhook_id = $1', [
    parseId('webhook', webhook.id),
  ]);
  return rows.map(({ id }) => formatId('execution', id));
}

describe('an Idempotency-Key', () => {
  it('answers an async repeat with the ids of the first call, at another process too, quoted or bare', async () => {
    const webhook = await webhookOf({ workerIds: ['worker-echo', 'worker-quick-echo'] });
    const first = await post(webhook, keyed('"order 7"'));
    expect(first).toMatchObject({ status: 202, replayed: null });
    const second = await post(webhook, { ...keyed('order 7'), at: other });
    expect(second).toMatchObject({ status: 202, replayed: 'true', body: { success: true, executionMode: 'async' } });
    expect(idsOf(second)).toEqual(idsOf(first));
    expect(await storedExecutions(webhook)).toHaveLength(2);
    await counted(webhook, 'DUPLICATE', 1);
    const { duplicates, statistics } = await gateway.graphql<{
      duplicates: { nodes: object[] };
      statistics: { byOutcome: object[] };
    }>(
      `query ($id: ID!) {
        duplicates: calls(webhookId: $id, outcomes: [DUPLICATE]) { nodes { rejectionReason executions { id } } }
        statistics(webhookId: $id) { total rejected byOutcome { outcome count } }
      }`,
      { id: webhook.id },
    );
    expect(duplicates.nodes).toEqual([
      { rejectionReason: `a repeat of ${first.body.callId as string}`, executions: [] },
    ]);
    expect(statistics).toMatchObject({ total: 2, rejected: 0 });
    expect(statistics.byOutcome).toContainEqual({ outcome: 'DUPLICATE', count: 1 });
  });

  it('answers a sync repeat with the results', async () => {
    const webhook = await webhookOf({ executionMode: 'SYNC' });
    const first = await post(webhook, keyed('k'));
    expect(first).toMatchObject({ status: 200, replayed: null, body: { results: [{ result: { a: 1 } }] } });
    const second = await post(webhook, keyed('k'));
    expect(second).toMatchObject({ status: 200, replayed: 'true' });
    expect({ ...second.body, timestamp: undefined }).toEqual({ ...first.body, timestamp: undefined });
  });

  it('answers a repeat of a failed call with its failure', async () => {
    const webhook = await webhookOf({ executionMode: 'SYNC', workerIds: ['worker-failing'] });
    const first = await post(webhook, keyed('k'));
    const second = await post(webhook, keyed('k'));
    expect([first.status, second.status]).toEqual([500, 500]);
    expect(second.replayed).toBe('true');
    expect(idsOf(second)).toEqual(idsOf(first));
  });

  it('lets a sync repeat wait for the executions of the first call', async () => {
    const webhook = await webhookOf({ executionMode: 'SYNC', workerIds: ['worker-gated'] });
    const gate: Gate = await openGate();
    try {
      const request = { ...keyed('k'), body: JSON.stringify({ gateUrl: gate.url }) };
      const first = post(webhook, request);
      await gate.reached;
      const second = post(webhook, { ...request, at: other });
      await counted(webhook, 'DUPLICATE', 1); // so it is known as a repeat, and waits
      gate.open('opened');
      const answers = await Promise.all([first, second]);
      for (const answer of answers)
        expect(answer).toMatchObject({ status: 200, body: { results: [{ result: { gate: 'opened' } }] } });
      expect(answers.map(({ replayed }) => replayed)).toEqual([null, 'true']);
      expect(idsOf(answers[1])).toEqual(idsOf(answers[0]));
      expect(gate.visits()).toBe(1);
    } finally {
      await gate.close();
    }
  });

  it('lets a sync repeat go at its own deadline, with the ids and without a word about the first caller', async () => {
    const webhook = await webhookOf({ executionMode: 'SYNC', workerIds: ['worker-gated'] });
    const gate: Gate = await openGate();
    try {
      const request = { ...keyed('k'), body: JSON.stringify({ gateUrl: gate.url }) };
      const first = post(webhook, request);
      await gate.reached;
      const second = await post(webhook, { ...request, headers: { ...request.headers, prefer: 'wait=1' } });
      expect(second).toMatchObject({ status: 202, replayed: 'true' });
      gate.open('opened');
      expect(await first).toMatchObject({ status: 200, body: { callId: second.body.callId as string } });
      const { call } = await gateway.graphql<{ call: object }>(
        'query ($id: ID!) { call(id: $id) { httpStatus outcome } }',
        {
          id: second.body.callId as string,
        },
      );
      expect(call).toEqual({ httpStatus: 200, outcome: 'SUCCEEDED' });
    } finally {
      await gate.close();
    }
  });

  it('gives the results of what has ended and waits for what runs, though the webhook is paused meanwhile', async () => {
    const webhook = await webhookOf({ executionMode: 'SYNC', workerIds: ['worker-gated'] });
    const gate: Gate = await openGate();
    const body = JSON.stringify({ gateUrl: gate.url });
    try {
      const running = post(webhook, { ...keyed('running'), body });
      await gate.reached;
      await gateway.graphql(
        'mutation ($id: ID!) { pauseWebhook(input: { id: $id }) { userErrors { code } } }',
        webhook,
      );
      const held = await post(webhook, { ...keyed('held'), body });
      expect(held).toMatchObject({ status: 202, replayed: null });
      expect(await post(webhook, { ...keyed('held'), body })).toMatchObject({ status: 202, replayed: 'true' });
      const repeat = post(webhook, { ...keyed('running'), body });
      await counted(webhook, 'DUPLICATE', 2); // so both are known as repeats
      gate.open('opened');
      const answers = await Promise.all([running, repeat]);
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      const ended = await post(webhook, { ...keyed('running'), body });
      expect(ended).toMatchObject({
        status: 200,
        replayed: 'true',
        body: { results: [{ result: { gate: 'opened' } }] },
      });
    } finally {
      await gate.close();
    }
  });

  it('is refused with 422 for another body, and the first call stays as it was', async () => {
    const webhook = await webhookOf();
    const first = await post(webhook, keyed('k'));
    const another = await post(webhook, { ...keyed('k'), body: '{"a":2}' });
    expect(another).toMatchObject({
      status: 422,
      replayed: null,
      body: { success: false, code: 'IDEMPOTENCY_MISMATCH', status: 422, type: '/problems/idempotency-mismatch' },
    });
    expect(idsOf(await post(webhook, keyed('k')))).toEqual(idsOf(first));
    expect(await storedExecutions(webhook)).toHaveLength(1);
    await counted(webhook, 'REJECTED_INPUT', 1);
  });

  it('is refused with 400 when it is none', async () => {
    const webhook = await webhookOf();
    for (const key of ['', '""', '"open', 'x'.repeat(256), 'käy', '"a"; b=1']) {
      const { status, body } = await post(webhook, keyed(key));
      expect({ key, status, code: body.code }).toEqual({ key, status: 400, code: 'IDEMPOTENCY_KEY_INVALID' });
    }
    expect(await storedExecutions(webhook)).toEqual([]);
  });

  it('is not shared by webhooks', async () => {
    const [one, two] = await Promise.all([webhookOf(), webhookOf()]);
    const [first, second] = [await post(one, keyed('k')), await post(two, keyed('k'))];
    expect(second).toMatchObject({ status: 202, replayed: null });
    expect(idsOf(second)).not.toEqual(idsOf(first));
  });

  it('is new again when its window has ended', async () => {
    const webhook = await webhookOf();
    const first = await post(webhook, keyed('k'));
    await sql.query('update idempotency_keys set expires_at = now() where call_id = $1', [
      parseId('call', first.body.callId as string),
    ]);
    const second = await post(webhook, { ...keyed('k'), body: '{"a":2}' });
    expect(second).toMatchObject({ status: 202, replayed: null });
    expect(idsOf(second)).not.toEqual(idsOf(first));
  });

  it(`makes one call of ${REPEATS} at once, over two processes`, async () => {
    const webhook = await webhookOf();
    const answers = await Promise.all(
      Array.from({ length: REPEATS }, (_, i) =>
        post(webhook, { ...keyed('flood'), at: i % 2 === 0 ? gateway : other }),
      ),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    expect(answers.filter(({ replayed }) => replayed === null)).toHaveLength(1);
    expect(new Set(answers.map((answer) => JSON.stringify(idsOf(answer)))).size).toBe(1);
    expect(await storedExecutions(webhook)).toEqual([answers[0]!.body.results[0].executionId]);
    expect(await countOf(webhook, 'ACCEPTED')).toBe(1);
    await counted(webhook, 'DUPLICATE', REPEATS - 1);
  }, 60_000);

  it('gives the same ids when the process was killed before anybody heard of them', async () => {
    const webhook = await webhookOf();
    const doomed = await start('ingress');
    const body = '{"a":1}';
    const { pathname, port } = new URL(webhook.url.replace(gateway.url, doomed.url));
    const socket = connect(Number(port), '127.0.0.1');
    socket.end(
      `POST ${pathname} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Webhook-Secret: ${webhook.secret}\r\n` +
        `Idempotency-Key: k\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const [executionId] = await pollUntil('the call', async () => {
      const ids = await storedExecutions(webhook);
      return ids.length > 0 ? ids : undefined;
    });
    await doomed.end('SIGKILL');
    socket.destroy();
    const retry = await post(webhook, keyed('k'));
    expect(retry).toMatchObject({ status: 202, replayed: 'true', body: { results: [{ executionId }] } });
    expect(await storedExecutions(webhook)).toEqual([executionId]);
  });
});

describe("a sender's delivery id", () => {
  it('makes a repeat known before the filter has its say', async () => {
    const webhook = await webhookOf({ authentication: { method: 'PROVIDER', provider: 'github' } });
    const deliver = (id: string, body: string, at = gateway): Promise<Answer> => {
      const signature = `sha256=${createHmac('sha256', webhook.secret).update(body).digest('hex')}`;
      const headers = { 'x-github-event': 'push', 'x-github-delivery': id, 'x-hub-signature-256': signature };
      return post(webhook, { body, headers, at });
    };
    const first = await deliver('d-1', '{"try":1}');
    await gateway.graphql(
      'mutation ($id: ID!) { updateWebhook(input: { id: $id, filter: "input.wanted" }) { userErrors { code } } }',
      webhook,
    );
    for (const at of [gateway, other]) {
      const repeat = await deliver('d-1', '{"try":2}', at);
      expect(repeat).toMatchObject({ status: 202, replayed: 'true' });
      expect(idsOf(repeat)).toEqual(idsOf(first));
      expect(await deliver('d-2', '{"try":1}', at)).toMatchObject({ status: 200, body: { ignored: true } });
    }
    expect(await storedExecutions(webhook)).toHaveLength(1);
  });

  it('makes a repeat known, of any body', async () => {
    const webhook = await webhookOf({ authentication: { method: 'PROVIDER', provider: 'github' } });
    const deliver = (id: string, body: string): Promise<Answer> => {
      const signature = `sha256=${createHmac('sha256', webhook.secret).update(body).digest('hex')}`;
      const headers = { 'x-github-event': 'push', 'x-github-delivery': id, 'x-hub-signature-256': signature };
      return post(webhook, { body, headers });
    };
    const first = await deliver('72d3162e', '{"try":1}');
    expect(first).toMatchObject({ status: 202, replayed: null });
    const second = await deliver('72d3162e', '{"try":2}');
    expect(second).toMatchObject({ status: 202, replayed: 'true' });
    expect(idsOf(second)).toEqual(idsOf(first));
    expect(await deliver('another', '{"try":1}')).toMatchObject({ status: 202, replayed: null });
    expect(await storedExecutions(webhook)).toHaveLength(2);
  });
});

describe("a webhook's idempotencyPointer", () => {
  it('finds the id in the body; a key in the header goes before it', async () => {
    const webhook = await webhookOf({ idempotencyPointer: '/event/id', idempotencyWindow: 'PT1H' });
    const body = '{"event":{"id":"evt-1"}}';
    const first = await post(webhook, { body });
    expect(idsOf(await post(webhook, { body }))).toEqual(idsOf(first));
    expect(await post(webhook, { body: '{"event":{"id":"evt-1"},"more":1}' })).toMatchObject({ status: 422 });
    expect(await post(webhook, { body, ...keyed('k') })).toMatchObject({ status: 202, replayed: null });
    for (const without of ['{"event":{}}', '{"event":{}}']) {
      expect(await post(webhook, { body: without })).toMatchObject({ status: 202, replayed: null });
    }
    const { call, webhook: seen } = await gateway.graphql<{ call: { deliveryId: string }; webhook: object }>(
      'query ($call: ID!, $id: ID!) { call(id: $call) { deliveryId } webhook(id: $id) { idempotencyPointer idempotencyWindow } }',
      { call: first.body.callId, id: webhook.id },
    );
    expect(call.deliveryId).toBe('evt-1');
    expect(seen).toEqual({ idempotencyPointer: '/event/id', idempotencyWindow: 'PT1H' });
    const { rows } = await sql.query<{ minutes: number }>(
      'select round(extract(epoch from expires_at - now()) / 60)::integer as minutes from idempotency_keys where call_id = $1',
      [parseId('call', first.body.callId as string)],
    );
    expect(rows).toEqual([{ minutes: 60 }]);
  });

  it('can be changed and taken away, and must be one', async () => {
    const webhook = await webhookOf({ idempotencyPointer: '/id' });
    const update = async (input: object): Promise<unknown> => {
      const { updateWebhook } = await gateway.graphql<{ updateWebhook: unknown }>(
        `mutation ($input: UpdateWebhookInput!) {
          updateWebhook(input: $input) { webhook { idempotencyPointer idempotencyWindow } userErrors { field code } }
        }`,
        { input: { id: webhook.id, ...input } },
      );
      return updateWebhook;
    };
    const fault = (name: string, code: string): unknown => ({ webhook: null, userErrors: [{ field: [name], code }] });
    expect(await update({ idempotencyPointer: 'id' })).toEqual(fault('idempotencyPointer', 'INVALID_POINTER'));
    expect(await update({ idempotencyWindow: 'P8D' })).toEqual(fault('idempotencyWindow', 'OUT_OF_RANGE'));
    expect(await update({ name: 'other', idempotencyWindow: 'P7D' })).toMatchObject({
      webhook: { idempotencyPointer: '/id', idempotencyWindow: 'PT168H' },
    });
    expect(await update({ idempotencyPointer: null })).toMatchObject({ webhook: { idempotencyPointer: null } });
    const body = '{"id":1}';
    for (const _ of [1, 2]) expect(await post(webhook, { body })).toMatchObject({ status: 202, replayed: null });
  });
});
