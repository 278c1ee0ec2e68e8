import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Principal } from '../../../src/access/principal.js';
import { AppError } from '../../../src/errors.js';
import { decideApproval } from '../../../src/executions/decide-approval.js';
import { listApprovals } from '../../../src/executions/list-approvals.js';
import { readStepsOfExecutions } from '../../../src/executions/read-steps.js';
import { newUuidV7 } from '../../../src/lib/ids.js';
import { asJsonText } from '../../../src/lib/json-text.js';
import { wakeIfDecided } from '../../../src/executions/wake-decided.js';
import { type ExecutionFixture, openExecutionFixture, signal } from '../../support/execution-fixture.js';
import type { QueueRunner } from '../../../src/queue/runner.js';
import { addWorkflowOf, beginWorkflow, operatorOf } from '../../support/workflow-runs.js';

let fixture: ExecutionFixture;
let operator: Principal;
let runner: QueueRunner;

beforeAll(async () => {
  fixture = await openExecutionFixture();
  runner = await fixture.startRunner();
  operator = await operatorOf(fixture);
});
afterAll(() => fixture.close());

const workflowOf = (...steps: readonly unknown[]): Promise<string> => addWorkflowOf(fixture, steps);
const begun = (workflowId: string, body?: string): ReturnType<typeof beginWorkflow> =>
  beginWorkflow(fixture, workflowId, body);
const statuses = async (executionId: string): Promise<Record<string, string>> =>
  Object.fromEntries(
    ((await readStepsOfExecutions(fixture.pool, [executionId])).get(executionId) ?? []).map((s) => [s.path, s.status]),
  );
const statusOf = async (executionId: string): Promise<string> =>
  (await fixture.pool.query<{ status: string }>('select status from executions where id = $1', [executionId])).rows[0]!
    .status;
const jobs = async (executionId: string): Promise<number> =>
  (
    await fixture.pool.query<{ n: number }>(
      `select count(*)::int as n from graphile_worker._private_jobs where payload ->> 'executionId' = $1`,
      [executionId],
    )
  ).rows[0]!.n;
const ASK = { id: 'ask', approval: { expires: '1h' } };

const abandonedApproval = async (): Promise<{ callId: string; executionId: string }> => {
  const release = signal();
  const worker = `worker-fails-${newUuidV7()}`;
  await fixture.addWorker(worker, async () => {
    await release.given;
    throw new AppError('WORKER_OUTPUT_INVALID');
  });
  const id = await workflowOf(
    { id: 'p', onError: 'continue', parallel: [[ASK], [{ id: 'work', worker }]] },
    { id: 'pause', wait: '1h' },
  );
  const one = await begun(id);
  await fixture.until(one.executionId, async () => (await statuses(one.executionId))['p/0/ask'] === 'WAITING');
  release.give();
  await fixture.until(one.executionId, async () => (await statusOf(one.executionId)) === 'WAITING');
  expect((await statuses(one.executionId))['p']).toBe('FAILED');
  return one;
};

it('ends an approval with the branch around it: nobody is asked, and nobody can decide', async () => {
  const { executionId } = await abandonedApproval();
  const { items } = await listApprovals(fixture.pool, operator, { limit: 10, fromEnd: false });
  expect(items.filter((item) => item.executionId === executionId)).toEqual([]);
  expect(await decideApproval(fixture.pool, operator, { executionId, path: 'p/0/ask', approved: true })).toMatchObject({
    ok: false,
    userErrors: [{ code: 'EXPIRED' }],
  });
});

it('ends the steps of a branch that is aborted, those of its worker too', async () => {
  const running = signal();
  await fixture.addWorker('worker-slow', async ({ signal: own }) => {
    running.give();
    await new Promise((_, reject) => own.addEventListener('abort', () => reject(own.reason as Error)));
    return { result: asJsonText('1') };
  });
  await fixture.addWorker('worker-bad', async () => {
    await running.given;
    throw new AppError('WORKER_OUTPUT_INVALID');
  });
  const id = await workflowOf({
    id: 'p',
    onError: 'continue',
    parallel: [[{ id: 'slow', worker: 'worker-slow' }], [{ id: 'bad', worker: 'worker-bad' }]],
  });
  const { callId, executionId } = await begun(id);
  expect((await fixture.end(callId))[0]).toMatchObject({ status: 'SUCCEEDED' });
  const shown = await statuses(executionId);
  expect(Object.values(shown)).not.toContain('RUNNING');
});

it('fails with its code, at once, when outputs are too large together', async () => {
  const steps = Array.from({ length: 35 }, (_, i) => ({ id: `s${i}`, set: { big: '{{ input.big }}' } }));
  const { callId } = await begun(await workflowOf(...steps), JSON.stringify({ big: 'x'.repeat(1_000_000) }));
  const [execution] = await fixture.end(callId);
  expect(execution).toMatchObject({ status: 'FAILED', attempt: 1, error: { code: 'WORKFLOW_TOO_LARGE' } });
}, 30_000);

it.each([
  ['at the top', (s: object) => s],
  ['in a branch', (s: object) => ({ id: 'p', parallel: [[s]] })],
  ['in a loop', (s: object) => ({ id: 'f', foreach: '{{ input.items }}', do: [s] })],
])('counts the tokens that a worker reports once, over a pause, %s', async (_, place) => {
  const worker = `worker-tokens-${newUuidV7()}`;
  await fixture.addWorker(worker, async () => ({ result: asJsonText('1'), promptTokens: 5, completionTokens: 2 }));
  const id = await workflowOf(place({ id: 'work', worker }), { id: 'pause', wait: '1h' });
  const { callId, executionId } = await begun(id, '{"items":[1]}');
  await fixture.until(executionId, async () => (await statusOf(executionId)) === 'WAITING');
  await fixture.passTime(3_700_000);
  const [execution] = await fixture.end(callId);
  expect(execution).toMatchObject({ status: 'SUCCEEDED', promptTokens: 5, completionTokens: 2 });
});

it('tries a workflow that is a step again when what failed inside of it may pass', async () => {
  let tries = 0;
  await fixture.addWorker('worker-flaky', () => {
    tries += 1;
    if (tries === 1) return Promise.reject(new AppError('WORKER_FAILED', 'once', { retryable: true }));
    return Promise.resolve({ result: asJsonText('1') });
  });
  const lower = await workflowOf({ id: 'flaky', worker: 'worker-flaky' });
  const upper = await workflowOf({ id: 'run', worker: lower, retry: { max: 2, backoff: 'fixed', delay: '1ms' } });
  const { callId } = await begun(upper);
  expect((await fixture.end(callId))[0]).toMatchObject({ status: 'SUCCEEDED' });
});

it('waits with a worker that catches what its call throws', async () => {
  const lower = await workflowOf(ASK);
  await fixture.addWorker('worker-catches', async ({ callWorker }) => {
    const answer = await callWorker({ workerId: lower, input: {}, path: 'call' }).catch(() => 'fallback');
    return { result: asJsonText(JSON.stringify(answer)) };
  });
  const { callId, executionId } = await begun('worker-catches');
  await fixture.until(executionId, async () => ['WAITING', 'SUCCEEDED'].includes(await statusOf(executionId)));
  expect(await statusOf(executionId)).toBe('WAITING');
  await decideApproval(fixture.pool, operator, { executionId, path: 'call/ask', approved: true });
  expect((await fixture.end(callId))[0]).toMatchObject({
    status: 'SUCCEEDED',
    result: expect.stringContaining('approved'),
  });
});

it('wakes an execution for what was decided while its attempt ran, and for nothing of before', async () => {
  await runner.stop(0); // nobody takes the jobs that are counted
  const { executionId } = await begun(await workflowOf(ASK));
  await fixture.pool.query(
    `insert into execution_steps (execution_id, path, attempt, status, state, started_at)
     values ($1, 'ask', 1, 'WAITING', '{"kind":"approval"}', now())`,
    [executionId],
  );
  const before = await jobs(executionId);
  const decidedAgo = (seconds: number): Promise<unknown> =>
    fixture.pool.query(
      `update execution_steps set state = state || jsonb_build_object('decision', jsonb_build_object('at',
         to_json(now() - $2::float8 * interval '1 second')))
       where execution_id = $1 and path = 'ask'`,
      [executionId, seconds],
    );
  await decidedAgo(60);
  await wakeIfDecided(fixture.pool, executionId, 30_000);
  expect(await jobs(executionId)).toBe(before);
  await wakeIfDecided(fixture.pool, executionId, 90_000);
  expect(await jobs(executionId)).toBe(before + 1);
});
