import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createWebhook, databaseEnv, type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { graphqlOf } from '../support/page.js';
import { pollUntil } from '../support/poll-until.js';
import { postCall } from '../support/post-call.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

let database: TestDatabase;
let gateway: GatewayProcess;
let yaml: string;
let createWorkflow: string;
let pending: string;
let approve: string;

const start = async (): Promise<void> => {
  gateway = await startGatewayProcess({ env: databaseEnv(database.url) });
};

beforeAll(async () => {
  database = await createTestDatabase();
  const page = await readFile('docs/workflows.md', 'utf8');
  yaml = /```yaml\n([^]*?)```/.exec(page)![1]!;
  [createWorkflow, pending, approve] = (await graphqlOf('docs/workflows.md')) as [string, string, string];
  await start();
});

afterAll(async () => {
  await gateway.end('SIGTERM');
  await database.drop();
});

const created = async (definitionYaml: string): Promise<string> => {
  const { createWorkflow: payload } = await gateway.graphql<{
    createWorkflow: { worker: { id: string } | null; userErrors: object[] };
  }>(createWorkflow, { yaml: definitionYaml });
  expect(payload.userErrors).toEqual([]);
  return payload.worker!.id;
};

interface Answer {
  readonly callId: string;
  readonly results: readonly { readonly executionId: string; readonly result?: unknown }[];
}

const order = (total: number): string =>
  JSON.stringify({
    order: { id: 'o-1', at: '2026-03-01T10:00:00Z', total, note: 'It came late.', items: [{ sku: 'a' }, { sku: 'b' }] },
  });

const execution = async (id: string): Promise<{ status: string; attempt: number; result: unknown }> =>
  (
    await gateway.graphql<{ execution: { status: string; attempt: number; result: unknown } }>(
      'query ($id: ID!) { execution(id: $id) { status attempt result } }',
      { id },
    )
  ).execution;

const waiting = async (executionId: string): Promise<{ path: string; message: string }> =>
  await pollUntil('the approval', async () => {
    const { approvals } = await gateway.graphql<{
      approvals: { nodes: { path: string; message: string; execution: { id: string } }[] };
    }>(pending);
    return approvals.nodes.find((node) => node.execution.id === executionId);
  });

describe('the workflow of the documentation', () => {
  it('answers a sync caller with its output', async () => {
    const webhook = await createWebhook(gateway, {
      workerIds: [await created(yaml)],
      executionMode: 'SYNC',
      authentication: { method: 'SECRET_HEADER' },
    });
    const answer = await postCall<Answer>(webhook, order(5));
    expect(answer.status).toBe(200);
    expect(answer.body.results[0]!.result).toEqual({
      queue: 'automatic',
      priority: 'normal',
      lines: 2,
      approvedBy: null,
    });
    const { call } = await gateway.graphql<{ call: { responseBody: string } }>(
      'query ($id: ID!) { call(id: $id) { responseBody } }',
      { id: answer.body.callId },
    );
    expect({ ...JSON.parse(call.responseBody), timestamp: '' }).toEqual({ ...answer.body, timestamp: '' });
  });

  it('refuses what does not fit its input before anything is accepted', async () => {
    const webhook = await createWebhook(gateway, {
      workerIds: [await created(yaml)],
      authentication: { method: 'SECRET_HEADER' },
    });
    expect(await postCall(webhook, '{"no":"order"}')).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } });
  });

  it('waits for a person over a kill, and goes on at once when one has decided', async () => {
    const webhook = await createWebhook(gateway, {
      workerIds: [await created(yaml)],
      authentication: { method: 'SECRET_HEADER' },
    });
    const { status, body } = await postCall<Answer>(webhook, order(5_000));
    expect(status).toBe(202);
    const { executionId } = body.results[0]!;
    expect(await waiting(executionId)).toMatchObject({ path: 'approve', message: 'Refund 5000 for o-1?' });
    await gateway.end('SIGKILL');
    await start();
    const { path } = await waiting(executionId);
    expect(await gateway.graphql(approve, { executionId, path })).toMatchObject({ approveStep: { userErrors: [] } });
    const ended = await pollUntil('the end', async () => {
      const now = await execution(executionId);
      return now.status === 'WAITING' || now.status === 'RUNNING' ? undefined : now;
    });
    expect(ended).toEqual({
      status: 'SUCCEEDED',
      attempt: 1,
      result: { queue: 'review', priority: 'normal', lines: 2, approvedBy: expect.stringMatching(/^user-/) },
    });
    const { execution: shown } = await gateway.graphql<{ execution: { steps: { nodes: object[] } } }>(
      `query ($id: ID!) { execution(id: $id) { steps { nodes { path status kind tries waitingUntil
         approval { message approved comment decidedAt decidedBy { id role } } } } } }`,
      { id: executionId },
    );
    expect(shown.steps.nodes).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ path: 'triage', status: 'SUCCEEDED', kind: 'WORKER', tries: 1 }),
        expect.objectContaining({ path: 'triage/1', status: 'SUCCEEDED', kind: null }),
        expect.objectContaining({ path: 'lines/1/line', status: 'SUCCEEDED', kind: 'SET' }),
        {
          path: 'approve',
          status: 'SUCCEEDED',
          kind: 'APPROVAL',
          tries: null,
          waitingUntil: null,
          approval: {
            message: 'Refund 5000 for o-1?',
            approved: true,
            comment: 'Checked with the customer.',
            decidedAt: expect.any(String),
            decidedBy: { id: expect.stringMatching(/^user-/), role: 'OWNER' },
          },
        },
      ]),
    );
  });
});

describe('runWorker', () => {
  const RUN = `mutation ($input: RunWorkerInput!) { runWorker(input: $input) {
    call { id outcome webhook { id } requestBody responseBody } execution { id status worker { id } }
    userErrors { field code } } }`;
  interface Run {
    readonly call: { readonly id: string; readonly responseBody: string | null } | null;
    readonly execution: { readonly id: string } | null;
    readonly userErrors: readonly object[];
  }
  const run = async (input: object): Promise<Run> =>
    (await gateway.graphql<{ runWorker: Run }>(RUN, { input })).runWorker;

  it('runs a worker for a call of its own', async () => {
    const { call, execution: begun, userErrors } = await run({ workerId: 'worker-echo', input: { n: 1 } });
    expect(userErrors).toEqual([]);
    expect(call).toMatchObject({ outcome: 'ACCEPTED', webhook: null, requestBody: '{"n":1}' });
    expect(call!.responseBody).toBeNull(); // nobody was answered
    const ended = await pollUntil('the end', async () => {
      const now = await execution(begun!.id);
      return now.status === 'SUCCEEDED' ? now : undefined;
    });
    expect(ended).toMatchObject({ attempt: 1, result: { n: 1 } });
  });

  it('runs once for a key', async () => {
    const first = await run({ workerId: 'worker-echo', input: 1, idempotencyKey: 'once' });
    const again = await run({ workerId: 'worker-echo', input: 1, idempotencyKey: 'once' });
    expect(again.execution!.id).toBe(first.execution!.id);
    expect((await run({ workerId: 'worker-echo', input: 2, idempotencyKey: 'once' })).userErrors).toEqual([
      { field: ['idempotencyKey'], code: 'IDEMPOTENCY_MISMATCH' },
    ]);
  });

  it('says what the worker does not take', async () => {
    const id = await created(yaml);
    expect(await run({ workerId: id, input: {} })).toMatchObject({
      call: null,
      userErrors: [{ field: ['input'], code: 'INPUT_REFUSED' }],
    });
  });

  it('knows a key again when its worker takes other inputs by now, or is deleted', async () => {
    const { createHttpWorker } = await gateway.graphql<{ createHttpWorker: { worker: { id: string } } }>(
      `mutation { createHttpWorker(input: { name: "H", url: "https://a.example/x" }) { worker { id } } }`,
    );
    const { id } = createHttpWorker.worker;
    const wanted = { workerId: id, input: { n: 1 }, idempotencyKey: 'changed' };
    const first = await run(wanted);
    expect(first.userErrors).toEqual([]);
    await gateway.graphql(
      `mutation ($id: ID!, $schema: JSON!) { updateHttpWorker(input: { id: $id, inputSchema: $schema }) { worker { id } } }`,
      { id, schema: { type: 'string' } },
    );
    expect((await run({ ...wanted, idempotencyKey: 'new' })).userErrors).toEqual([
      { field: ['input'], code: 'INPUT_REFUSED' },
    ]);
    expect((await run(wanted)).execution!.id).toBe(first.execution!.id);
    await gateway.graphql('mutation ($id: ID!) { deleteWorker(input: { id: $id }) { userErrors { code } } }', { id });
    expect((await run(wanted)).execution!.id).toBe(first.execution!.id);
  });

  it('counts against the limit of whoever runs', async () => {
    const { viewer } = await gateway.graphql<{ viewer: { id: string } }>('{ viewer { id } }');
    const limit = (perMinute: number | null): Promise<unknown> =>
      gateway.graphql(
        `mutation ($id: ID!, $perMinute: Int) {
           setRateLimit(input: { scope: USER, subjectId: $id, perMinute: $perMinute }) { userErrors { message } } }`,
        { id: viewer.id, perMinute },
      );
    await limit(1);
    await expect(
      pollUntil('the limit', async () => {
        await run({ workerId: 'worker-echo', input: 1 });
        return undefined;
      }),
    ).rejects.toThrow(/RATE_LIMITED.*retryAfterMs/);
    await limit(null);
    // A limit that is lifted is heard of a moment later.
    await pollUntil('a run without the limit', () =>
      run({ workerId: 'worker-echo', input: 1 }).then(
        () => true,
        (error: Error) => {
          if (!error.message.includes('RATE_LIMITED')) throw error;
          return undefined;
        },
      ),
    );
  });

  it('makes no webhook that somebody could see or call', async () => {
    await run({ workerId: 'worker-echo', input: 1 });
    const { webhooks } = await gateway.graphql<{ webhooks: { nodes: { name: string }[] } }>(
      '{ webhooks(first: 100) { nodes { name } } }',
    );
    expect(webhooks.nodes.filter(({ name }) => name === 'runs by hand')).toEqual([]);
  });
});
