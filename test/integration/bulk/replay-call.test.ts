import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Principal } from '../../../src/access/principal.js';
import { formatId, newUuidV7, parseId } from '../../../src/lib/ids.js';
import { addWorkerVersions, type GraphqlFixture, openGraphqlFixture } from '../../support/graphql-fixture.js';

let fixture: GraphqlFixture;
let operator: Principal;
let viewer: Principal;
let webhookId: string;

beforeAll(async () => {
  fixture = await openGraphqlFixture();
  await fixture.addWorkers('worker-a', 'worker-b');
  await addWorkerVersions(fixture);
  operator = await fixture.addUser('operator');
  viewer = await fixture.addUser('viewer');
  webhookId = await fixture.addWebhook('Replayed', ['worker-a']);
});

afterAll(() => fixture.close());

const sql = () => fixture.database.pool;

const replay = (id: string, more = '', as: Principal = operator) =>
  fixture.run(
    `mutation { replayCall(input: { id: "${id}" ${more} }) {
      call { id outcome isTest sourceIp requestBody requestHeaders deliveryId replayOf { id } executions { workerId status workerVersion } }
      userErrors { field code message }
    } }`,
    {},
    as,
  );

/** A call that was turned away, as it is recorded. */
const addRejected = async (outcome: string, body: string, headers = '{"content-type":"application/json"}') => {
  const id = newUuidV7();
  await sql().query(
    `insert into calls (id, webhook_id, received_at, execution_mode, dispatch, outcome, is_test, request_headers,
       request_body, pending) values ($1, $2, now(), 'ASYNC', 'PARALLEL', $3, false, $4, $5, 0)`,
    [id, parseId('webhook', webhookId), outcome, headers, Buffer.from(body)],
  );
  return formatId('call', id);
};

const counted = async (): Promise<number> =>
  (await fixture.run(`{ webhook(id: "${webhookId}") { callCount } }`)).data.webhook.callCount;

describe('replayCall', () => {
  it('makes a new call with the same bytes and headers, counted, queued and audited', async () => {
    const body = '{ "n": 12345678901234567890,  "text": "\\u0000" }';
    const { callId } = await fixture.addCall({ webhookId, workerIds: ['worker-a'], body });
    const before = await counted();
    const { data } = await replay(callId);
    const { call, userErrors } = data.replayCall;
    expect(userErrors).toEqual([]);
    expect(call).toMatchObject({
      outcome: 'ACCEPTED',
      isTest: false,
      sourceIp: null,
      requestBody: body,
      requestHeaders: { 'content-type': 'application/json' },
      deliveryId: null,
      replayOf: { id: callId },
      executions: [{ workerId: 'worker-a', status: 'QUEUED', workerVersion: null }],
    });
    expect(call.id).not.toBe(callId);
    expect(await counted()).toBe(before + 1);
    const { rows } = await sql().query('select action, subject_id from audit_events order by seq desc limit 1');
    expect(rows).toEqual([{ action: 'call.replayed', subject_id: callId }]);
    const jobs = await sql().query(
      "select 1 from graphile_worker._private_jobs where payload->>'executionId' in (select id::text from executions where call_id = $1)",
      [parseId('call', call.id)],
    );
    expect(jobs.rows).toHaveLength(1);
  });

  it('runs the webhook’s workers of today, or those of the first time at their versions', async () => {
    const { callId, executionIds } = await fixture.addCall({ webhookId, workerIds: ['worker-b'] });
    await sql().query('update executions set worker_version = 1 where id = $1', [
      parseId('execution', executionIds[0]!),
    ]);
    const present = await replay(callId, 'workerVersion: PRESENT');
    expect(present.data.replayCall.call.executions).toEqual([
      { workerId: 'worker-a', status: 'QUEUED', workerVersion: null },
    ]);
    const original = await replay(callId, 'workerVersion: ORIGINAL');
    expect(original.data.replayCall.call.executions).toEqual([
      { workerId: 'worker-b', status: 'QUEUED', workerVersion: 1 },
    ]);
  });

  it('gives the same replay for the same key, and refuses the key for another call', async () => {
    const { callId } = await fixture.addCall({ webhookId, workerIds: ['worker-a'] });
    const [first, ...others] = await Promise.all([1, 2, 3, 4].map(() => replay(callId, 'idempotencyKey: "replay-1"')));
    const id = first!.data.replayCall.call.id;
    expect(others.map(({ data }) => data.replayCall.call.id)).toEqual([id, id, id]);
    const { rows } = await sql().query('select count(*)::integer as n from calls where replay_of = $1', [
      parseId('call', callId),
    ]);
    expect(rows).toEqual([{ n: 1 }]);
    const { callId: other } = await fixture.addCall({ webhookId, workerIds: ['worker-a'] });
    expect((await replay(other, 'idempotencyKey: "replay-1"')).data.replayCall.userErrors).toMatchObject([
      { field: ['idempotencyKey'], code: 'IDEMPOTENCY_MISMATCH' },
    ]);
    expect((await replay(other, 'idempotencyKey: ""')).data.replayCall.userErrors).toMatchObject([
      { code: 'INVALID_KEY' },
    ]);
  });

  it('takes rejected calls whose body was kept whole', async () => {
    const limited = await addRejected('RATE_LIMITED', '{"n":1}');
    expect((await replay(limited)).data.replayCall).toMatchObject({
      call: { outcome: 'ACCEPTED', requestBody: '{"n":1}', replayOf: { id: limited } },
      userErrors: [],
    });
  });

  it.each([
    ['one without its body', 'REJECTED_AUTHENTICATION', ''],
    ['one whose body was cut', 'RATE_LIMITED', `{"text":"${'x'.repeat(100)}`],
    ['one that is no JSON', 'REJECTED_MALFORMED', 'hello'],
  ])('refuses %s', async (_, outcome, body) => {
    const id = await addRejected(outcome, body);
    expect((await replay(id)).data.replayCall).toMatchObject({
      call: null,
      userErrors: [{ field: ['id'], code: 'BODY_NOT_ACCEPTABLE' }],
    });
  });

  it('refuses the original workers of a call that had none', async () => {
    const id = await addRejected('RATE_LIMITED', '{"n":1}');
    expect((await replay(id, 'workerVersion: ORIGINAL')).data.replayCall.userErrors).toMatchObject([
      { code: 'NEVER_STARTED' },
    ]);
  });

  it('waits for its turn as any call of a webhook with flow control', async () => {
    const id = await fixture.addWebhook('Paused', ['worker-a']);
    const { callId } = await fixture.addCall({ webhookId: id, workerIds: ['worker-a'] });
    const paused = await fixture.run(`mutation { pauseWebhook(input: { id: "${id}" }) { userErrors { code } } }`);
    expect(paused.data.pauseWebhook.userErrors).toEqual([]);
    expect((await replay(callId)).data.replayCall.call.executions).toMatchObject([{ status: 'WAITING' }]);
  });

  it('refuses calls of webhooks that are inactive or deleted', async () => {
    const id = await fixture.addWebhook('Gone', ['worker-a']);
    const { callId } = await fixture.addCall({ webhookId: id, workerIds: ['worker-a'] });
    await fixture.run(`mutation { deactivateWebhook(input: { id: "${id}" }) { webhook { id } } }`);
    expect((await replay(callId)).data.replayCall.userErrors).toMatchObject([{ code: 'WEBHOOK_INACTIVE' }]);
    await fixture.run(`mutation { deleteWebhook(input: { id: "${id}" }) { deletedWebhookId } }`);
    expect((await replay(callId)).data.replayCall.userErrors).toMatchObject([{ code: 'WEBHOOK_DELETED' }]);
  });

  it('refuses input that the workers of today do not take', async () => {
    const id = await fixture.addWebhook('Strict', ['worker-a']);
    const { callId } = await fixture.addCall({ webhookId: id, workerIds: ['worker-a'], body: '{"n":"one"}' });
    await fixture.addWorkers('worker-strict');
    await addWorkerVersions(fixture, { properties: { n: { type: 'number' } } });
    await fixture.run(
      `mutation { updateWebhook(input: { id: "${id}", workerIds: ["worker-strict"] }) { webhook { id } } }`,
    );
    expect((await replay(callId)).data.replayCall.userErrors).toMatchObject([
      { code: 'INPUT_REFUSED', message: expect.stringContaining('/n') },
    ]);
  });

  it('is for who may operate, and for calls that there are', async () => {
    const { callId } = await fixture.addCall({ webhookId, workerIds: ['worker-a'] });
    expect((await replay(callId, '', viewer)).codes).toEqual(['FORBIDDEN']);
    expect((await replay(formatId('call', newUuidV7()))).codes).toEqual(['NOT_FOUND']);
    expect((await replay(webhookId)).codes).toEqual(['BAD_USER_INPUT']);
  });
});
