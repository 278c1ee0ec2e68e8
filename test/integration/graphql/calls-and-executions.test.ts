import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Principal } from '../../../src/access/principal.js';
import { formatId, newUuidV7, parseId } from '../../../src/lib/ids.js';
import { addWorkerVersions, type GraphqlFixture, openGraphqlFixture } from '../../support/graphql-fixture.js';

let fixture: GraphqlFixture;
let stranger: Principal;
let run: GraphqlFixture['run'];

beforeAll(async () => {
  fixture = await openGraphqlFixture();
  run = fixture.run;
  stranger = await fixture.addUser('owner', ['webhooks:read']);
  await fixture.addWorkers('worker-one', 'worker-two');
  await addWorkerVersions(fixture);
});

afterAll(() => fixture.close());

const ids = (nodes: readonly { readonly id: string }[]): string[] => nodes.map(({ id }) => id);

/** Ends an execution as a runner's statement would leave it. */
async function finish(executionId: string, result: string | null, error: unknown = null): Promise<void> {
  const id = parseId('execution', executionId);
  await fixture.database.pool.query(
    `update executions set status = $2, attempt = 1, worker_version = 1, started_at = now(), finished_at = now(),
       prompt_tokens = 3, completion_tokens = 4, result = $3::json, error = $4::json, last_event_seq = 3 where id = $1`,
    [id, error === null ? 'SUCCEEDED' : 'FAILED', result, error === null ? null : JSON.stringify(error)],
  );
  await fixture.database.pool.query(
    `insert into execution_events (execution_id, seq, at, kind, data) values
       ($1, 2, now(), 'status', '{"status":"RUNNING","attempt":1}'), ($1, 3, now(), 'status', '{"status":"SUCCEEDED","attempt":1}')`,
    [id],
  );
}

describe('call', () => {
  const CALL = `query ($id: ID!) { call(id: $id) {
    id receivedAt outcome httpStatus durationMs finishedAt isTest sourceIp requestHeaders requestBody rejectionReason
    webhook { id name } executions { id position workerId status } } }`;

  it('gives the call as it came, with its executions in order', async () => {
    const webhookId = await fixture.addWebhook('Call', ['worker-two', 'worker-one']);
    const body = '{"big": 12345678901234567890,\n "z":1, "a":2, "text":"Größe ☂"}';
    const call = await fixture.addCall({ webhookId, workerIds: ['worker-two', 'worker-one'], body });
    const { data, errors } = await run(CALL, { id: call.callId });
    expect(errors).toEqual([]);
    expect(data.call).toEqual({
      id: call.callId,
      receivedAt: expect.stringMatching(/Z$/),
      outcome: 'ACCEPTED',
      httpStatus: 202,
      durationMs: null,
      finishedAt: null,
      isTest: false,
      sourceIp: '192.0.2.7',
      requestHeaders: { 'content-type': 'application/json' },
      requestBody: body,
      rejectionReason: null,
      webhook: { id: webhookId, name: 'Call' },
      executions: [
        { id: call.executionIds[0], position: 0, workerId: 'worker-two', status: 'QUEUED' },
        { id: call.executionIds[1], position: 1, workerId: 'worker-one', status: 'QUEUED' },
      ],
    });
  });

  it('gives null, refuses, and forbids', async () => {
    expect((await run(CALL, { id: formatId('call', newUuidV7()) })).data.call).toBeNull();
    expect((await run(CALL, { id: 'call-nonsense' })).codes).toEqual(['BAD_USER_INPUT']);
    expect((await run(CALL, { id: formatId('call', newUuidV7()) }, stranger)).codes).toEqual(['FORBIDDEN']);
  });
});

describe('calls', () => {
  const CALLS = `query ($webhookId: ID, $outcomes: [CallOutcome!], $from: DateTime, $to: DateTime,
      $first: Int, $after: String, $last: Int, $before: String) {
    calls(webhookId: $webhookId, outcomes: $outcomes, from: $from, to: $to,
      first: $first, after: $after, last: $last, before: $before) {
      nodes { id } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount } }`;
  let webhookId: string;
  let newestFirst: string[];
  const startMs = Date.now() - 3_600_000;

  beforeAll(async () => {
    webhookId = await fixture.addWebhook('Calls', ['worker-one']);
    newestFirst = [];
    for (let i = 0; i < 5; i += 1) {
      newestFirst.unshift((await fixture.addCall({ webhookId, receivedAtMs: startMs + i * 60_000 })).callId);
    }
  });

  const list = async (variables: Record<string, unknown>) => (await run(CALLS, { webhookId, ...variables })).data.calls;

  it('pages both ways through the newest first', async () => {
    const first = await list({ first: 2 });
    expect(ids(first.nodes)).toEqual(newestFirst.slice(0, 2));
    expect(first).toMatchObject({ pageInfo: { hasNextPage: true, hasPreviousPage: false }, totalCount: 5 });
    const second = await list({ first: 2, after: first.pageInfo.endCursor });
    expect(ids(second.nodes)).toEqual(newestFirst.slice(2, 4));
    const back = await list({ last: 9, before: second.pageInfo.startCursor });
    expect(ids(back.nodes)).toEqual(newestFirst.slice(0, 2));
    expect(back.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false });
    expect(ids((await list({ last: 2 })).nodes)).toEqual(newestFirst.slice(3));
  });

  it('filters by outcome and time', async () => {
    expect((await list({ outcomes: ['FAILED'] })).nodes).toEqual([]);
    expect((await list({ outcomes: ['FAILED', 'ACCEPTED'] })).totalCount).toBe(5);
    const range = { from: new Date(startMs + 60_000).toISOString(), to: new Date(startMs + 180_000).toISOString() };
    expect(ids((await list(range)).nodes)).toEqual(newestFirst.slice(2, 4));
  });

  it('is the same below a webhook', async () => {
    const { data } = await run(
      'query ($id: ID!, $after: String) { webhook(id: $id) { callCount lastCalledAt calls(first: 2, after: $after) { nodes { id } pageInfo { hasNextPage } totalCount } } }',
      { id: webhookId, after: newestFirst[0] },
    );
    expect(data.webhook).toEqual({
      callCount: 5,
      lastCalledAt: new Date(startMs + 4 * 60_000).toISOString(),
      calls: { nodes: newestFirst.slice(1, 3).map((id) => ({ id })), pageInfo: { hasNextPage: true }, totalCount: 5 },
    });
  });

  it.each([
    { webhookId: 'nonsense' },
    { first: 101 },
    { first: 1, last: 1 },
    { after: 'nonsense' },
    { outcomes: ['LOST'] },
    { from: 'yesterday' },
  ])('refuses %j', async (variables) => {
    expect((await run(CALLS, variables)).codes).toEqual(['BAD_USER_INPUT']);
  });

  it('needs calls:read', async () => {
    expect((await run(CALLS, {}, stranger)).codes).toEqual(['FORBIDDEN']);
  });
});

describe('execution', () => {
  const EXECUTION = `query ($id: ID!, $first: Int, $after: String) { execution(id: $id) {
    id status attempt workerVersion startedAt finishedAt promptTokens completionTokens result resultText inputParams
    error { code message retryable } call { id } worker { id name }
    events(first: $first, after: $after) { nodes { __typename cursor seq at execution { id }
      ... on ExecutionStatusChanged { status attempt } } pageInfo { hasNextPage } totalCount } } }`;

  it('gives its result exactly, and what happened to it', async () => {
    const webhookId = await fixture.addWebhook('Execution', ['worker-one']);
    const call = await fixture.addCall({ webhookId, workerIds: ['worker-one'], body: '{"n":[1]}' });
    const id = call.executionIds[0]!;
    await finish(id, '{"z": 1.50, "big": 12345678901234567890}');
    const { data, errors } = await run(EXECUTION, { id, first: 2 });
    expect(errors).toEqual([]);
    expect(data.execution).toMatchObject({
      id,
      status: 'SUCCEEDED',
      attempt: 1,
      workerVersion: 1,
      promptTokens: 3,
      completionTokens: 4,
      result: { z: 1.5, big: 12_345_678_901_234_567_000 },
      resultText: '{"z": 1.50, "big": 12345678901234567890}',
      inputParams: { n: [1] },
      error: null,
      call: { id: call.callId },
      worker: { id: 'worker-one' },
      events: {
        nodes: [
          { __typename: 'ExecutionStatusChanged', seq: 1, status: 'QUEUED', attempt: 0, execution: { id } },
          { __typename: 'ExecutionStatusChanged', seq: 2, status: 'RUNNING', attempt: 1, execution: { id } },
        ],
        pageInfo: { hasNextPage: true },
        totalCount: 3,
      },
    });
    const { cursor } = data.execution.events.nodes[1];
    const tail = parseId('execution', id)!.slice(-12);
    expect(cursor).toBe(`2.${tail}`); // the same cursor that the subscription takes
  });

  it('pages through events by the cursors that it gives', async () => {
    const webhookId = await fixture.addWebhook('Events', ['worker-one']);
    const { executionIds } = await fixture.addCall({ webhookId, workerIds: ['worker-one'] });
    await finish(executionIds[0]!, 'null');
    const EVENTS = `query ($id: ID!, $after: String) { execution(id: $id) { result resultText
      events(first: 1, after: $after) { nodes { seq } pageInfo { endCursor hasNextPage } } } }`;
    const page = async (after?: string) => (await run(EVENTS, { id: executionIds[0], after })).data.execution;
    const first = await page();
    expect(first).toMatchObject({ result: null, resultText: 'null' });
    const second = await page(first.events.pageInfo.endCursor);
    expect(second.events.nodes).toEqual([{ seq: 2 }]);
    expect((await page(second.events.pageInfo.endCursor)).events).toMatchObject({
      nodes: [{ seq: 3 }],
      pageInfo: { hasNextPage: false },
    });
  });

  it('gives its error', async () => {
    const webhookId = await fixture.addWebhook('Error', ['worker-one']);
    const { executionIds } = await fixture.addCall({ webhookId, workerIds: ['worker-one'] });
    const error = { code: 'WORKER_FAILED', message: 'no', retryable: false };
    await finish(executionIds[0]!, null, error);
    const { data } = await run(EXECUTION, { id: executionIds[0] });
    expect(data.execution).toMatchObject({ status: 'FAILED', error, result: null, resultText: null });
  });

  it('gives null, refuses, and forbids', async () => {
    const id = formatId('execution', newUuidV7());
    expect((await run(EXECUTION, { id })).data.execution).toBeNull();
    expect((await run(EXECUTION, { id: 'exec-nonsense' })).codes).toEqual(['BAD_USER_INPUT']);
    expect((await run(EXECUTION, { id }, stranger)).codes).toEqual(['FORBIDDEN']);
  });
});

describe('executions', () => {
  const EXECUTIONS = `query ($webhookId: ID, $callId: ID, $workerId: ID, $statuses: [ExecutionStatus!], $first: Int, $after: String) {
    executions(webhookId: $webhookId, callId: $callId, workerId: $workerId, statuses: $statuses, first: $first, after: $after) {
      nodes { id } pageInfo { hasNextPage endCursor } totalCount } }`;

  it('filters and pages', async () => {
    await fixture.addWorkers('worker-listed');
    await addWorkerVersions(fixture);
    const webhookId = await fixture.addWebhook('Executions', ['worker-listed', 'worker-two']);
    const nowMs = Date.now();
    const older = await fixture.addCall({
      webhookId,
      workerIds: ['worker-listed', 'worker-two'],
      receivedAtMs: nowMs - 5_000,
    });
    const newer = await fixture.addCall({ webhookId, workerIds: ['worker-listed'], receivedAtMs: nowMs });
    await finish(newer.executionIds[0]!, '1');
    const list = async (variables: Record<string, unknown>) => (await run(EXECUTIONS, variables)).data.executions;

    expect((await list({ webhookId })).totalCount).toBe(3);
    expect(ids((await list({ callId: older.callId })).nodes).toSorted()).toEqual(older.executionIds.toSorted());
    expect(ids((await list({ workerId: 'worker-listed' })).nodes)).toEqual([
      newer.executionIds[0],
      older.executionIds[0],
    ]);
    expect(ids((await list({ webhookId, statuses: ['SUCCEEDED'] })).nodes)).toEqual([newer.executionIds[0]]);
    const first = await list({ workerId: 'worker-listed', first: 1 });
    expect(first.pageInfo.hasNextPage).toBe(true);
    const second = await list({ workerId: 'worker-listed', first: 1, after: first.pageInfo.endCursor });
    expect(ids(second.nodes)).toEqual([older.executionIds[0]]);

    const below = await run('{ worker(id: "worker-listed") { executions(last: 1) { nodes { id } totalCount } } }');
    expect(below.data.worker.executions).toEqual({ nodes: [{ id: older.executionIds[0] }], totalCount: 2 });
  });

  it.each([
    { webhookId: 'x' },
    { callId: 'x' },
    { workerId: 'x' },
    { statuses: ['LOST'] },
    { first: 101 },
    { after: 'x' },
  ])('refuses %j', async (variables) => {
    expect((await run(EXECUTIONS, variables)).codes).toEqual(['BAD_USER_INPUT']);
  });

  it('needs executions:read', async () => {
    expect((await run(EXECUTIONS, {}, stranger)).codes).toEqual(['FORBIDDEN']);
  });
});

describe('statistics', () => {
  const STATISTICS = `query ($webhookId: ID, $interval: StatisticsInterval!, $from: DateTime, $to: DateTime) {
    statistics(webhookId: $webhookId, interval: $interval, from: $from, to: $to) {
      total succeeded failed rejected byOutcome { outcome count } p50Ms p95Ms p99Ms promptTokens completionTokens lastCalledAt
      buckets { start total succeeded failed rejected p95Ms } } }`;

  it('counts calls, in all and below a webhook', async () => {
    const webhookId = await fixture.addWebhook('Statistics', ['worker-one']);
    const atMs = Math.floor(Date.now() / 60_000) * 60_000 - 600_000;
    await fixture.addCall({ webhookId, receivedAtMs: atMs });
    await fixture.addCall({ webhookId, receivedAtMs: atMs + 60_000 });
    const time = { interval: 'MINUTE', from: new Date(atMs).toISOString(), to: new Date(atMs + 180_000).toISOString() };
    const { data, errors } = await run(STATISTICS, { webhookId, ...time });
    expect(errors).toEqual([]);
    expect(data.statistics).toMatchObject({
      total: 2,
      succeeded: 0,
      byOutcome: [{ outcome: 'ACCEPTED', count: 2 }],
      p95Ms: null,
      lastCalledAt: new Date(atMs + 60_000).toISOString(),
    });
    expect(data.statistics.buckets.map(({ total }: { total: number }) => total)).toEqual([1, 1, 0]);
    const below = await run(
      `query ($id: ID!, $from: DateTime, $to: DateTime) { webhook(id: $id) {
        statistics(interval: MINUTE, from: $from, to: $to) { total byOutcome { outcome count } lastCalledAt buckets { total } } } }`,
      { id: webhookId, from: time.from, to: time.to },
    );
    expect(below.data.webhook.statistics).toEqual({
      total: 2,
      byOutcome: [{ outcome: 'ACCEPTED', count: 2 }],
      lastCalledAt: data.statistics.lastCalledAt,
      buckets: [{ total: 1 }, { total: 1 }, { total: 0 }],
    });
  });

  it.each([
    ['MINUTE', 60],
    ['HOUR', 24],
    ['DAY', 30],
  ])('goes back as far as fits the interval %s', async (interval, least) => {
    const { length } = (await run(STATISTICS, { interval })).data.statistics.buckets;
    expect(length - least).toBeGreaterThanOrEqual(0);
    expect(length - least).toBeLessThanOrEqual(1);
  });

  it('refuses and forbids', async () => {
    const backwards = { interval: 'HOUR', from: '2026-03-02T00:00:00Z', to: '2026-03-01T00:00:00Z' };
    expect((await run(STATISTICS, backwards)).codes).toEqual(['BAD_USER_INPUT']);
    expect((await run(STATISTICS, { interval: 'MINUTE', from: '2020-01-01T00:00:00Z' })).codes).toEqual([
      'BAD_USER_INPUT',
    ]);
    expect((await run(STATISTICS, { interval: 'WEEK' })).codes).toEqual(['BAD_USER_INPUT']);
    expect((await run(STATISTICS, { interval: 'HOUR', webhookId: 'x' })).codes).toEqual(['BAD_USER_INPUT']);
    expect((await run(STATISTICS, { interval: 'HOUR' }, stranger)).codes).toEqual(['FORBIDDEN']);
  });
});
