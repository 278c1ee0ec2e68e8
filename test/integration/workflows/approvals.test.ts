import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { verifyAudit } from '../../../src/access/audit.js';
import type { Principal } from '../../../src/access/principal.js';
import { decideApproval } from '../../../src/executions/decide-approval.js';
import { listApprovals } from '../../../src/executions/list-approvals.js';
import { readStepsOfExecutions } from '../../../src/executions/read-steps.js';
import { asJsonText } from '../../../src/lib/json-text.js';
import { type ExecutionFixture, openExecutionFixture, signal } from '../../support/execution-fixture.js';
import { addWorkflowOf, beginWorkflow, operatorOf } from '../../support/workflow-runs.js';

let fixture: ExecutionFixture;
let operator: Principal;

beforeAll(async () => {
  fixture = await openExecutionFixture();
  await fixture.startRunner();
  operator = await operatorOf(fixture);
});

afterAll(() => fixture.close());

const workflowOf = (...steps: readonly unknown[]): Promise<string> => addWorkflowOf(fixture, steps);

const begun = (workflowId: string, body?: string): ReturnType<typeof beginWorkflow> =>
  beginWorkflow(fixture, workflowId, body);

const step = async (executionId: string, path: string): Promise<{ status: string; state: unknown } | undefined> =>
  (await readStepsOfExecutions(fixture.pool, [executionId])).get(executionId)?.find((one) => one.path === path);

/** Resolves when the step asks, and nothing else goes on in its execution. */
const asks = (executionId: string, path: string): Promise<void> =>
  fixture.until(executionId, async () => {
    const { rows } = await fixture.pool.query<{ status: string }>('select status from executions where id = $1', [
      executionId,
    ]);
    return rows[0]?.status === 'WAITING' && (await step(executionId, path))?.status === 'WAITING';
  });

const decide = (executionId: string, path: string, approved: boolean, comment?: string): Promise<unknown> =>
  decideApproval(fixture.pool, operator, { executionId, path, approved, comment }).then((outcome) =>
    outcome.ok ? 'decided' : outcome.userErrors.map(({ code }) => code).join(),
  );

const ASK = { id: 'ask', approval: { expires: '1h', message: 'Refund {{ input.amount }}?' } };

describe('an approval', () => {
  it('waits for a person, says what is asked, and goes on with what they decided', async () => {
    const id = await workflowOf(ASK, { id: 'end', set: { by: '{{ steps.ask.result.by }}' } });
    const { callId, executionId } = await begun(id, '{"amount":5}');
    await asks(executionId, 'ask');
    const { items } = await listApprovals(fixture.pool, operator, { limit: 10, fromEnd: false });
    expect(items).toEqual([
      {
        executionId,
        path: 'ask',
        message: 'Refund 5?',
        requestedAt: expect.any(Date),
        expiresAt: expect.any(Date),
      },
    ]);
    expect(await decide(executionId, 'ask', true, 'Go on.')).toBe('decided');
    const [execution] = await fixture.end(callId);
    expect(execution).toMatchObject({ status: 'SUCCEEDED', attempt: 1 });
    expect(JSON.parse(execution!.result!)).toEqual({ by: expect.stringMatching(/^user-/) });
    expect(await step(executionId, 'ask')).toMatchObject({
      status: 'SUCCEEDED',
      state: { decision: { approved: true, comment: 'Go on.' } },
    });
    expect((await listApprovals(fixture.pool, operator, { limit: 10, fromEnd: false })).items).toEqual([]);
  });

  it('asks about whatever a payload says', async () => {
    const { executionId } = await begun(await workflowOf(ASK), '{"amount":"a\\u0000b\\ud800"}');
    await asks(executionId, 'ask');
    expect(await step(executionId, 'ask')).toMatchObject({ state: { message: 'Refund ab\ufffd?' } });
  });

  it('fails the step when it is rejected', async () => {
    const { callId, executionId } = await begun(await workflowOf(ASK), '{"amount":5}');
    await asks(executionId, 'ask');
    await decide(executionId, 'ask', false, 'Too much.');
    expect((await fixture.end(callId))[0]).toMatchObject({
      status: 'FAILED',
      error: { code: 'APPROVAL_REJECTED', message: 'In step "ask": It was rejected: Too much.' },
    });
  });

  it('lets a workflow go on behind a rejection', async () => {
    const id = await workflowOf(
      { ...ASK, onError: 'continue' },
      { id: 'end', set: { code: '{{ steps.ask.error.code }}' } },
    );
    const { callId, executionId } = await begun(id, '{"amount":5}');
    await asks(executionId, 'ask');
    await decide(executionId, 'ask', false);
    expect((await fixture.end(callId))[0]).toMatchObject({ result: '{"code":"APPROVAL_REJECTED"}' });
  });

  it('fails the step when nobody decides in time, and then nobody can', async () => {
    const { callId, executionId } = await begun(await workflowOf(ASK), '{"amount":5}');
    await asks(executionId, 'ask');
    await fixture.pool.query(`update execution_steps set state = state || '{"wakeAtMs":1}' where execution_id = $1`, [
      executionId,
    ]);
    expect(await decide(executionId, 'ask', true)).toBe('EXPIRED');
    await fixture.passTime(0);
    expect((await fixture.end(callId))[0]).toMatchObject({ status: 'FAILED', error: { code: 'APPROVAL_EXPIRED' } });
    expect(await decide(executionId, 'ask', true)).toBe('ALREADY_ENDED');
  });

  it('is decided once, whoever comes first', async () => {
    const { callId, executionId } = await begun(await workflowOf(ASK), '{"amount":5}');
    await asks(executionId, 'ask');
    const answers = await Promise.all([true, false, true, false].map((yes) => decide(executionId, 'ask', yes)));
    expect(answers.filter((answer) => answer === 'decided')).toHaveLength(1);
    expect(answers.filter((answer) => answer === 'ALREADY_DECIDED')).toHaveLength(3);
    const status = answers.indexOf('decided') % 2 === 0 ? 'SUCCEEDED' : 'FAILED';
    expect((await fixture.end(callId))[0]).toMatchObject({ status });
  });

  it('is heard when it is decided while something beside it runs', async () => {
    const [running, release] = [signal(), signal()];
    await fixture.addWorker('worker-beside', async () => {
      running.give();
      await release.given;
      return { result: asJsonText('1') };
    });
    const id = await workflowOf({ id: 'p', parallel: [[ASK], [{ id: 'work', worker: 'worker-beside' }]] });
    const { callId, executionId } = await begun(id, '{"amount":5}');
    await running.given;
    await fixture.until(executionId, async () => (await step(executionId, 'p/0/ask'))?.status === 'WAITING');
    expect(await decide(executionId, 'p/0/ask', true)).toBe('decided');
    release.give();
    expect((await fixture.end(callId))[0]).toMatchObject({ status: 'SUCCEEDED', attempt: 1 });
  });

  it('works inside of a workflow that is a step, by its whole path', async () => {
    const lower = await workflowOf(ASK);
    const { callId, executionId } = await begun(await workflowOf({ id: 'run', worker: lower }), '{"amount":7}');
    await asks(executionId, 'run/1/ask');
    expect(await decide(executionId, 'run/1/ask', true)).toBe('decided');
    expect((await fixture.end(callId))[0]).toMatchObject({ status: 'SUCCEEDED' });
  });

  it.each([
    ['another step', 'end'],
    ['no step', 'nothing'],
    ['what cannot be stored', 'a\0'],
    ['half a character', '\ud800'],
  ])('cannot be decided by the path of %s', async (_, path) => {
    const { executionId } = await begun(await workflowOf({ id: 'end', set: {} }, ASK), '{"amount":5}');
    await asks(executionId, 'ask');
    expect(await decide(executionId, path, true)).toBe('NOT_FOUND');
  });

  it('is not asked any more of an execution that was canceled', async () => {
    const before = (await listApprovals(fixture.pool, operator, { limit: 100, fromEnd: false })).items.length;
    const { callId, executionId } = await begun(await workflowOf(ASK), '{"amount":5}');
    await asks(executionId, 'ask');
    await fixture.cancel(executionId);
    expect((await fixture.end(callId))[0]).toMatchObject({ status: 'CANCELED' });
    expect(await decide(executionId, 'ask', true)).toBe('ALREADY_ENDED');
    expect((await listApprovals(fixture.pool, operator, { limit: 100, fromEnd: false })).items).toHaveLength(before);
  });

  it('needs the right to operate executions', async () => {
    const { executionId } = await begun(await workflowOf(ASK), '{"amount":5}');
    await asks(executionId, 'ask');
    const decision = { executionId, path: 'ask', approved: true };
    await expect(decideApproval(fixture.pool, { ...operator, role: 'viewer' }, decision)).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
    await expect(decideApproval(fixture.pool, undefined, decision)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('is audited with what it decided', async () => {
    const { rows } = await fixture.pool.query<{ action: string }>(
      `select distinct action from audit_events where action like 'step.%' order by action`,
    );
    expect(rows.map(({ action }) => action)).toEqual(['step.approved', 'step.rejected']);
    expect(await verifyAudit(fixture.pool)).toMatchObject({ intact: true });
  });
});

describe('listApprovals', () => {
  it('goes through what waits in pages, both ways', async () => {
    const id = await workflowOf({ id: 'p', parallel: [[ASK], [{ ...ASK, id: 'two' }]] });
    const { executionId } = await begun(id, '{"amount":5}');
    await asks(executionId, 'p/1/two');
    const all = (await listApprovals(fixture.pool, operator, { limit: 100, fromEnd: false })).items;
    expect(all.length).toBeGreaterThan(2);
    const first = await listApprovals(fixture.pool, operator, { limit: 2, fromEnd: false });
    const rest = await listApprovals(fixture.pool, operator, { limit: 100, fromEnd: false, after: first.items[1] });
    expect([...first.items, ...rest.items]).toEqual(all);
    const last = await listApprovals(fixture.pool, operator, { limit: 2, fromEnd: true });
    expect(last.items).toEqual(all.slice(-2));
    const back = await listApprovals(fixture.pool, operator, { limit: 100, fromEnd: true, before: last.items[0] });
    expect([...back.items, ...last.items]).toEqual(all);
  });
});
