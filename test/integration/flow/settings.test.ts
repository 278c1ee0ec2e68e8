import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { takeLeases } from '../../../src/executions/lease.js';
import { newRandomUuid, parseId } from '../../../src/lib/ids.js';
import { addWorkerVersions, type GraphqlFixture, openGraphqlFixture } from '../../support/graphql-fixture.js';

let fixture: GraphqlFixture;
let run: GraphqlFixture['run'];

beforeAll(async () => {
  fixture = await openGraphqlFixture();
  run = fixture.run;
  await fixture.addWorkers('worker-one', 'worker-two');
  await addWorkerVersions(fixture);
});

afterAll(() => fixture.close());

const FLOW = 'flow { concurrency fifoKey debounce { quiet maxDelay } paused waiting running }';
const add = (flow: unknown, more: Record<string, unknown> = {}): Promise<string> =>
  fixture.addWebhook('flow', ['worker-one'], { flow, ...more });
const change = async (id: string, fields: Record<string, unknown>): Promise<Record<string, unknown>> => {
  const { data, errors } = await run(
    `mutation ($input: UpdateWebhookInput!) { updateWebhook(input: $input) { webhook { version paused ${FLOW} } userErrors { field code } } }`,
    { input: { id, ...fields } },
  );
  expect(errors).toEqual([]);
  return data.updateWebhook;
};
const setPaused = (verb: 'pause' | 'resume', id: string, more: Record<string, unknown> = {}, who = fixture.owner) =>
  run(
    `mutation ($input: ${verb === 'pause' ? 'Pause' : 'Resume'}WebhookInput!) {
      paused: ${verb}Webhook(input: $input) { webhook { version paused ${FLOW} } userErrors { code } } }`,
    { input: { id, ...more } },
    who,
  );
const read = async (id: string): Promise<Record<string, unknown>> =>
  (await run(`query ($id: ID!) { webhook(id: $id) { paused ${FLOW} } }`, { id })).data.webhook;

interface Sent {
  readonly callId: string;
  readonly status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- a body of any outcome
  readonly body: any;
}
const send = async (id: string, payload: object, headers: object = {}): Promise<Sent> => {
  const { data, errors } = await run(
    'mutation ($input: TestWebhookInput!) { testWebhook(input: $input) { call { id } httpStatus responseBody } }',
    { input: { id, payload, headers } },
  );
  expect(errors).toEqual([]);
  const { call, httpStatus, responseBody } = data.testWebhook;
  return { callId: call?.id, status: httpStatus, body: JSON.parse(responseBody) };
};
const laneOf = async (sent: Sent): Promise<string> => {
  const { rows } = await fixture.database.pool.query<{ lane: string }>(
    "select encode(lane, 'hex') as lane from flow_calls where call_id = $1",
    [parseId('call', sent.callId)],
  );
  return rows[0]!.lane;
};

describe('the settings', () => {
  it('are what was given, defaults filled in, and null without any', async () => {
    expect(await read(await add(undefined))).toEqual({ paused: false, flow: null });
    expect(await read(await add({ concurrency: 2, fifoKey: '/order', debounce: { quiet: 'PT2S' } }))).toEqual({
      paused: false,
      flow: {
        concurrency: 2,
        fifoKey: '/order',
        debounce: { quiet: 'PT2S', maxDelay: 'PT20S' },
        paused: false,
        waiting: 0,
        running: 0,
      },
    });
  });

  it('are replaced as a whole, stay when they are not given, and go with null', async () => {
    const id = await add({ concurrency: 2, fifoKey: '/order' });
    expect(await change(id, { name: 'other' })).toMatchObject({
      webhook: { flow: { concurrency: 2, fifoKey: '/order' } },
    });
    expect(await change(id, { flow: { concurrency: 3 } })).toMatchObject({
      webhook: { flow: { concurrency: 3, fifoKey: null } },
    });
    const { rows } = await fixture.database.pool.query<{ details: unknown }>(
      'select details from audit_events order by seq desc limit 1',
    );
    expect(rows[0]!.details).toEqual({ changed: ['flowConcurrency', 'flowKey'] });
    expect(await change(id, { flow: null })).toMatchObject({ webhook: { version: 4, flow: null } });
  });

  it.each([
    [{}, ['flow'], 'REQUIRED'],
    [{ concurrency: null }, ['flow'], 'REQUIRED'],
    [{ concurrency: 0 }, ['flow', 'concurrency'], 'OUT_OF_RANGE'],
    [{ concurrency: 10_001 }, ['flow', 'concurrency'], 'OUT_OF_RANGE'],
    [{ fifoKey: '' }, ['flow', 'fifoKey'], 'INVALID_KEY'],
    [{ fifoKey: 'order' }, ['flow', 'fifoKey'], 'INVALID_KEY'],
    [{ fifoKey: '/a~2' }, ['flow', 'fifoKey'], 'INVALID_KEY'],
    [{ fifoKey: '/a\0' }, ['flow', 'fifoKey'], 'INVALID_KEY'],
    [{ fifoKey: '{{ input.a' }, ['flow', 'fifoKey'], 'INVALID_KEY'],
    [{ fifoKey: `/${'a'.repeat(500)}` }, ['flow', 'fifoKey'], 'INVALID_KEY'],
    [{ debounce: { quiet: 'PT0.05S' } }, ['flow', 'debounce', 'quiet'], 'OUT_OF_RANGE'],
    [{ debounce: { quiet: 'PT25H' } }, ['flow', 'debounce', 'quiet'], 'OUT_OF_RANGE'],
    [{ debounce: { quiet: 'PT2S', maxDelay: 'PT1S' } }, ['flow', 'debounce', 'maxDelay'], 'OUT_OF_RANGE'],
    [{ debounce: { quiet: 'PT2S', maxDelay: 'P8D' } }, ['flow', 'debounce', 'maxDelay'], 'OUT_OF_RANGE'],
  ])('are refused when they are %j', async (flow, field, code) => {
    const input = { name: 'x', workerIds: ['worker-one'], authentication: { method: 'HMAC_SIGNATURE' }, flow };
    const { data } = await run(
      'mutation ($input: CreateWebhookInput!) { createWebhook(input: $input) { webhook { id } userErrors { field code } } }',
      { input },
    );
    expect(data.createWebhook).toEqual({ webhook: null, userErrors: [{ field, code }] });
    const id = await add({ concurrency: 1 });
    expect(await change(id, { flow })).toEqual({ webhook: null, userErrors: [{ field, code }] });
  });

  it('of a shorter debounce, or none, hurry what waits', async () => {
    const id = await add({ debounce: { quiet: 'PT1H', maxDelay: 'P1D' } });
    const dueInMinutes = async (): Promise<number> => {
      const { rows } = await fixture.database.pool.query<{ minutes: number }>(
        'select round(extract(epoch from due_at - accepted_at) / 60)::integer as minutes from flow_calls where webhook_id = $1',
        [parseId('webhook', id)],
      );
      return rows[0]!.minutes;
    };
    await send(id, {});
    expect(await dueInMinutes()).toBe(60);
    await change(id, { flow: { debounce: { quiet: 'PT2H', maxDelay: 'P1D' } } });
    expect(await dueInMinutes()).toBe(60); // a longer one is for calls to come
    await change(id, { flow: { debounce: { quiet: 'PT10M', maxDelay: 'P1D' } } });
    expect(await dueInMinutes()).toBe(10);
    await change(id, { flow: null });
    expect(await dueInMinutes()).toBe(0);
  });
});

describe('pauseWebhook and resumeWebhook', () => {
  const auditOf = async (): Promise<string[]> => {
    const { rows } = await fixture.database.pool.query<{ action: string }>(
      'select action from audit_events order by seq',
    );
    return rows.map(({ action }) => action);
  };

  it('change the webhook once, with an audit entry', async () => {
    const id = await add(undefined);
    const before = (await auditOf()).length;
    for (let i = 0; i < 2; i += 1) {
      expect((await setPaused('pause', id)).data.paused.webhook).toMatchObject({
        version: 2,
        paused: true,
        flow: { paused: true, concurrency: null },
      });
    }
    for (let i = 0; i < 2; i += 1) {
      expect((await setPaused('resume', id)).data.paused.webhook).toMatchObject({
        version: 3,
        paused: false,
        flow: null,
      });
    }
    expect((await auditOf()).slice(before)).toEqual(['webhook.paused', 'webhook.resumed']);
  });

  it('are refused for another version, an unknown webhook, and those who may not', async () => {
    const id = await add(undefined);
    expect((await setPaused('pause', id, { expectedVersion: 7 })).codes).toEqual(['CONFLICT']);
    expect((await setPaused('pause', 'wh_00000000000000000000000000')).codes).toEqual(['NOT_FOUND']);
    expect((await setPaused('resume', id, {}, await fixture.addUser('operator'))).codes).toEqual(['FORBIDDEN']);
    expect(await read(id)).toMatchObject({ paused: false });
  });

  it('let calls come and wait; their place is in the answer and in the call', async () => {
    const id = await add({ concurrency: 1 });
    await setPaused('pause', id);
    const [first, second] = [await send(id, {}), await send(id, {})];
    expect([first, second].map(({ status, body }) => [status, body.status, body.queuePosition])).toEqual([
      [202, 'accepted', 1],
      [202, 'accepted', 2],
    ]);
    expect(await read(id)).toMatchObject({ flow: { waiting: 2, running: 0 } });
    const { data } = await run('query ($id: ID!) { call(id: $id) { outcome queuePosition executions { status } } }', {
      id: second.callId,
    });
    expect(data.call).toEqual({ outcome: 'ACCEPTED', queuePosition: 2, executions: [{ status: 'WAITING' }] });
  });

  it('let a sync caller go at once, with ids and without a promise to have waited', async () => {
    const id = await add(undefined, { executionMode: 'SYNC', syncTimeout: 'PT5M' });
    await setPaused('pause', id);
    const { status, body } = await send(id, {}, { Prefer: 'wait=60' }); // or the test would time out
    expect([status, body.executionMode, body.queuePosition, body.results.length]).toEqual([202, 'sync', 1, 1]);
  });
});

describe('calls that are on their way', () => {
  const statusesOf = async (calls: readonly Sent[]): Promise<string[]> => {
    const { rows } = await fixture.database.pool.query<{ id: string; statuses: string }>(
      `select call_id as id, string_agg(status, ',' order by position) as statuses from executions
       where call_id = any($1::uuid[]) group by call_id`,
      [calls.map(({ callId }) => parseId('call', callId))],
    );
    const byId = new Map(rows.map(({ id, statuses }) => [id, statuses]));
    return calls.map(({ callId }) => byId.get(parseId('call', callId)!)!);
  };
  const jobsOf = async (calls: readonly Sent[]): Promise<number> => {
    const { rows } = await fixture.database.pool.query<{ jobs: number }>(
      `select count(*)::integer as jobs from graphile_worker._private_jobs j join executions e
         on e.id = (j.payload ->> 'executionId')::uuid where e.call_id = any($1::uuid[])`,
      [calls.map(({ callId }) => parseId('call', callId))],
    );
    return rows[0]!.jobs;
  };
  /** As a runner does it that has begun with the call's first execution. */
  const begin = async ({ callId }: Sent): Promise<void> => {
    const { rows } = await fixture.database.pool.query<{ id: string }>(
      'select id from executions where call_id = $1 and position = 0',
      [parseId('call', callId)],
    );
    await fixture.database.pool.query(
      "update graphile_worker._private_jobs set locked_at = now(), locked_by = 'x' where payload ->> 'executionId' = $1",
      [rows[0]!.id],
    );
    const request = { executionId: rows[0]!.id, runnerId: newRandomUuid(), token: newRandomUuid() };
    await takeLeases(fixture.database.pool, [request]);
  };
  const three = async (id: string): Promise<Sent[]> => [await send(id, {}), await send(id, {}), await send(id, {})];

  it('wait when their webhook is paused, unless they have begun; they run in order when it is resumed', async () => {
    const id = await add(undefined);
    const before = await three(id);
    await begin(before[1]!);
    await setPaused('pause', id);
    const after = await send(id, {});
    expect(await statusesOf([...before, after])).toEqual(['WAITING', 'RUNNING', 'WAITING', 'WAITING']);
    expect([await jobsOf(before), await read(id)]).toMatchObject([1, { flow: { waiting: 3, running: 1 } }]);
    expect(after.body.queuePosition).toBe(3);
    await setPaused('resume', id);
    await fixture.flow.sweep();
    expect(await statusesOf([...before, after])).toEqual(['QUEUED', 'RUNNING', 'QUEUED', 'QUEUED']);
    expect(await jobsOf([...before, after])).toBe(4);
    const { rows } = await fixture.database.pool.query<{ id: string }>(
      `select e.call_id as id from graphile_worker._private_jobs j join executions e
         on e.id = (j.payload ->> 'executionId')::uuid where e.webhook_id = $1 and e.status = 'QUEUED' order by j.id`,
      [parseId('webhook', id)],
    );
    expect(rows.map((row) => row.id)).toEqual(
      [before[0]!, before[2]!, after].map((sent) => parseId('call', sent.callId)),
    );
  });

  it('come under a limit that their webhook gets, and under a narrower one', async () => {
    const id = await add(undefined);
    const calls = await three(id);
    await change(id, { flow: { concurrency: 2 } });
    await fixture.flow.sweep();
    expect(await statusesOf(calls)).toEqual(['QUEUED', 'QUEUED', 'WAITING']);
    await begin(calls[0]!);
    await change(id, { flow: { concurrency: 1 } });
    await fixture.flow.sweep();
    expect(await statusesOf(calls)).toEqual(['RUNNING', 'WAITING', 'WAITING']);
    expect(await read(id)).toMatchObject({ flow: { waiting: 2, running: 1 } });
    await change(id, { flow: null });
    await fixture.flow.sweep();
    expect(await statusesOf(calls)).toEqual(['RUNNING', 'QUEUED', 'QUEUED']);
  });

  it('with several workers are in progress as soon as one of them is', async () => {
    const id = await fixture.addWebhook('two', ['worker-one', 'worker-two']);
    const calls = await three(id);
    await begin(calls[1]!);
    await setPaused('pause', id);
    expect(await statusesOf(calls)).toEqual(['WAITING,WAITING', 'RUNNING,QUEUED', 'WAITING,WAITING']);
    const sequence = await fixture.addWebhook('sequence', ['worker-one', 'worker-two'], { dispatch: 'SEQUENTIAL' });
    const [first, second] = await three(sequence);
    await begin(first!);
    await setPaused('pause', sequence);
    expect(await statusesOf([first!, second!])).toEqual(['RUNNING,WAITING', 'WAITING,WAITING']);
    await setPaused('resume', sequence);
    await fixture.flow.sweep();
    expect(await statusesOf([first!, second!])).toEqual(['RUNNING,WAITING', 'QUEUED,WAITING']);
  });

  it('of other webhooks are not touched', async () => {
    const [id, other] = [await add(undefined), await add(undefined)];
    const calls = await three(other);
    await setPaused('pause', id);
    expect([await statusesOf(calls), await jobsOf(calls)]).toEqual([['QUEUED', 'QUEUED', 'QUEUED'], 3]);
  });
});

describe('a call', () => {
  it('of a webhook without flow control has no place', async () => {
    const id = await add(undefined);
    const sent = await send(id, {});
    expect(sent.body).not.toHaveProperty('queuePosition');
    const { data } = await run('query ($id: ID!) { call(id: $id) { queuePosition } }', { id: sent.callId });
    expect(data.call).toEqual({ queuePosition: null });
  });

  it('that is repeated keeps its place, and is not there twice', async () => {
    const id = await add({ concurrency: 1 });
    await send(id, {});
    const key = { 'Idempotency-Key': 'k' };
    const [first, again] = [await send(id, { n: 1 }, key), await send(id, { n: 1 }, key)];
    expect([first.body.queuePosition, again.body.queuePosition]).toEqual([1, 1]);
    expect(again.body.callId).toBe(first.body.callId);
    expect(await read(id)).toMatchObject({ flow: { waiting: 1, running: 1 } });
  });

  it('belongs to the lane of its key, by a pointer', async () => {
    const id = await add({ fifoKey: '/order/id' });
    const lanes: string[] = [];
    for (const key of ['a', 'b', 'a', 7, '7', '', null, true, { a: 1 }]) {
      lanes.push(await laneOf(await send(id, { order: { id: key } })));
    }
    lanes.push(await laneOf(await send(id, { other: 1 })));
    const [a, b, a2, seven, text7, ...none] = lanes;
    expect(new Set([a, b, seven]).size).toBe(3);
    expect([a2, text7]).toEqual([a, seven]);
    expect(none).toEqual(['', '', '', '', '']);
  });

  it('belongs to the lane of its key, by a template; no payload reaches beyond itself', async () => {
    const id = await add({ fifoKey: '{{ input.region }}-{{ input.order.id }}' });
    const lane = async (payload: object): Promise<string> => laneOf(await send(id, payload));
    const first = await lane({ region: 'eu', order: { id: 1 } });
    expect(first).toHaveLength(32);
    expect(await lane({ order: { id: 1 }, region: 'eu', more: true })).toBe(first);
    expect(await lane({ region: 'us', order: { id: 1 } })).not.toBe(first);
    expect(await lane({ region: 'eu' })).toBe('');
    const odd = await add({ fifoKey: '{{ input.constructor.name }}' });
    expect(await laneOf(await send(odd, {}))).toBe('');
  });
});
