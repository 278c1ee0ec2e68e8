import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Principal } from '../../../src/access/principal.js';
import { putCallback } from '../../../src/callbacks/callback-settings.js';
import { readStatistics } from '../../../src/calls/statistics.js';
import { AppError } from '../../../src/errors.js';
import { cancelExecution } from '../../../src/executions/cancel.js';
import { readExecutionEvents } from '../../../src/executions/read-events.js';
import { retryExecution, type WorkerVersionChoice } from '../../../src/executions/retry.js';
import { newUuidV7 } from '../../../src/lib/ids.js';
import { asJsonText } from '../../../src/lib/json-text.js';
import type { QueueRunner } from '../../../src/queue/runner.js';
import { Keyring } from '../../../src/secrets/seal.js';
import { type ExecutionFixture, openExecutionFixture } from '../../support/execution-fixture.js';

const keyring = new Keyring([{ id: 'test', key: Buffer.alloc(32, 7) }]);
let fixture: ExecutionFixture;
let operator: Principal;
let runner: QueueRunner;
/** Workers that fail; the others succeed. */
const failing = new Set<string>();

beforeAll(async () => {
  fixture = await openExecutionFixture();
  for (const id of ['worker-a', 'worker-b', 'worker-c']) {
    await fixture.addWorker(id, (run) =>
      failing.has(id)
        ? Promise.reject(new AppError('WORKER_FAILED', 'no luck'))
        : Promise.resolve({ result: asJsonText(JSON.stringify({ attempt: run.attempt })), promptTokens: 5 }),
    );
  }
  const { rows } = await fixture.pool.query<{ id: string }>('select id from users');
  operator = { userId: rows[0]!.id, role: 'operator', credential: { type: 'api-token', id: newUuidV7() }, scopes: [] };
});

beforeEach(async () => {
  failing.clear();
  runner = await fixture.startRunner();
});

afterEach(() => runner.stop(0));

afterAll(() => fixture.close());

const retry = (id: string, workerVersion: WorkerVersionChoice = 'PRESENT') =>
  retryExecution(fixture.database.pool, operator, { id, workerVersion });

const retried = async (id: string, workerVersion?: WorkerVersionChoice): Promise<string> => {
  const outcome = await retry(id, workerVersion);
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.userErrors));
  return outcome.value;
};

const callOf = async (callId: string): Promise<unknown> =>
  (
    await fixture.pool.query(
      'select outcome, pending, failures, http_status, finished_at is not null as finished from calls where id = $1',
      [callId],
    )
  ).rows[0];

const statistics = async (): Promise<{ total: number; succeeded: number; failed: number; p50Ms: number | null }> => {
  const time = { from: new Date(Date.now() - 3_600_000), to: new Date(Date.now() + 3_600_000) };
  const { total, succeeded, failed, p50Ms } = await readStatistics(fixture.pool, {
    webhookIds: [fixture.webhookId],
    interval: 'HOUR',
    ...time,
  });
  return { total, succeeded, failed, p50Ms };
};

const failedCall = async (...workerIds: string[]): Promise<{ callId: string; executionIds: readonly string[] }> => {
  for (const id of workerIds) failing.add(id);
  const call = await fixture.store(workerIds);
  await fixture.end(call.callId);
  failing.clear();
  return call;
};

describe('retrying an execution', () => {
  it('runs it anew in the same call, whose end is then the retry’s, counted once', async () => {
    const before = await statistics();
    const { callId, executionIds } = await failedCall('worker-a');
    expect(await callOf(callId)).toMatchObject({ outcome: 'FAILED', pending: 0 });
    expect(await statistics()).toMatchObject({ total: before.total + 1, failed: before.failed + 1 });

    const newId = await retried(executionIds[0]!);
    const executions = await fixture.end(callId);
    expect(executions).toMatchObject([{ id: newId, status: 'SUCCEEDED', attempt: 1, retryOf: executionIds[0] }]);
    expect(await fixture.read(callId)).toMatchObject([
      { id: executionIds[0], status: 'FAILED', retriedBy: newId },
      { id: newId, status: 'SUCCEEDED', retriedBy: null },
    ]);
    expect(await callOf(callId)).toEqual({
      outcome: 'SUCCEEDED',
      pending: 0,
      failures: 0,
      http_status: 202,
      finished: true,
    });
    expect(await statistics()).toMatchObject({
      total: before.total + 1,
      failed: before.failed,
      succeeded: before.succeeded + 1,
    });
    expect((await statistics()).p50Ms).not.toBeNull();
    const { rows } = await fixture.pool.query('select action from audit_events order by seq desc limit 1');
    expect(rows).toEqual([{ action: 'execution.retried' }]);
  });

  it('counts a call once too when the retry fails, and can be done again', async () => {
    const before = await statistics();
    const { callId, executionIds } = await failedCall('worker-a');
    failing.add('worker-a');
    const second = await retried(executionIds[0]!);
    await fixture.end(callId);
    expect(await callOf(callId)).toMatchObject({ outcome: 'FAILED', pending: 0, failures: 1 });
    expect(await statistics()).toMatchObject({ total: before.total + 1, failed: before.failed + 1 });
    failing.clear();
    await retried(second);
    await fixture.end(callId);
    expect(await callOf(callId)).toMatchObject({ outcome: 'SUCCEEDED', failures: 0 });
    expect(await statistics()).toMatchObject({ failed: before.failed, succeeded: before.succeeded + 1 });
  });

  it('leaves the call failed as long as another one is', async () => {
    const { callId, executionIds } = await failedCall('worker-a', 'worker-b');
    await retried(executionIds[0]!);
    await fixture.end(callId);
    expect(await callOf(callId)).toMatchObject({ outcome: 'FAILED', pending: 0, failures: 1 });
    await retried(executionIds[1]!);
    await fixture.end(callId);
    expect(await callOf(callId)).toMatchObject({ outcome: 'SUCCEEDED', pending: 0, failures: 0 });
  });

  it('takes what was skipped behind it along, in order', async () => {
    failing.add('worker-b');
    const { callId, executionIds } = await fixture.store(['worker-a', 'worker-b', 'worker-c'], {
      dispatch: 'SEQUENTIAL',
    });
    await fixture.end(callId);
    failing.clear();
    expect(await retry(executionIds[2]!)).toMatchObject({ ok: false, userErrors: [{ code: 'NOT_FAILED' }] });
    const newId = await retried(executionIds[1]!);
    const executions = await fixture.end(callId);
    expect(executions.map(({ workerId, status }) => [workerId, status])).toEqual([
      ['worker-a', 'SUCCEEDED'],
      ['worker-b', 'SUCCEEDED'],
      ['worker-c', 'SUCCEEDED'],
    ]);
    expect(executions[2]!.startedAt!.getTime()).toBeGreaterThanOrEqual(executions[1]!.finishedAt!.getTime());
    expect(await callOf(callId)).toMatchObject({ outcome: 'SUCCEEDED', pending: 0, failures: 0 });
    const events = await readExecutionEvents(fixture.pool, newId, 0, 10);
    expect(events.map(({ seq, data }) => [seq, (JSON.parse(data) as { status: string }).status])).toEqual([
      [1, 'WAITING'],
      [2, 'QUEUED'],
      [3, 'RUNNING'],
      [4, 'SUCCEEDED'],
    ]);
  });

  it('does not go before others of its sequence', async () => {
    await runner.stop(0);
    const { executionIds } = await fixture.store(['worker-a', 'worker-b'], { dispatch: 'SEQUENTIAL' });
    await cancelExecution(fixture.database.pool, operator, { id: executionIds[1]! });
    expect(await retry(executionIds[1]!)).toMatchObject({ ok: false, userErrors: [{ code: 'NOT_ITS_TURN' }] });
  });

  it('runs the worker’s present version, or that of the first time', async () => {
    const { callId, executionIds } = await failedCall('worker-c', 'worker-b');
    await fixture.pool.query(
      `insert into worker_versions (worker_id, version, definition, timeout_ms, attempts_max)
       select worker_id, 2, definition, timeout_ms, attempts_max from worker_versions
       where version = 1 and worker_id in ('worker-b', 'worker-c')`,
    );
    await fixture.pool.query("update workers set current_version = 2 where id in ('worker-b', 'worker-c')");
    await fixture.database.transaction(async (em) => {
      await em.execute('select pg_notify(\'workhook_events\', \'[["k","worker-b"],["k","worker-c"]]\')');
    });
    await retried(executionIds[0]!, 'PRESENT');
    await retried(executionIds[1]!, 'ORIGINAL');
    expect((await fixture.end(callId)).map(({ workerVersion }) => workerVersion)).toEqual([2, 1]);
  });

  it('lets one of two at once through', async () => {
    const { callId, executionIds } = await failedCall('worker-a');
    const outcomes = await Promise.all([retry(executionIds[0]!), retry(executionIds[0]!)]);
    expect(outcomes.filter(({ ok }) => ok)).toHaveLength(1);
    expect(outcomes.find(({ ok }) => !ok)).toMatchObject({ userErrors: [{ code: 'ALREADY_RETRIED' }] });
    expect(await fixture.end(callId)).toHaveLength(1);
    expect(await fixture.read(callId)).toHaveLength(2);
  });

  it('has a callback of its own; one that was not yet received is not sent any more', async () => {
    const { webhookId } = fixture;
    await fixture.database.transaction((em) => putCallback(em, keyring, webhookId, 'https://receiver.example/'));
    const { callId, executionIds } = await failedCall('worker-a');
    await retried(executionIds[0]!);
    await fixture.end(callId);
    await fixture.database.transaction((em) => putCallback(em, keyring, webhookId, null));
    const { rows } = await fixture.pool.query('select status from callbacks where call_id = $1 order by created_at', [
      callId,
    ]);
    expect(rows).toEqual([{ status: 'SUPERSEDED' }, { status: 'PENDING' }]);
  });

  it('is for what failed, by who may operate', async () => {
    const { callId, executionIds } = await fixture.store(['worker-a']);
    await fixture.end(callId);
    expect(await retry(executionIds[0]!)).toMatchObject({ ok: false, userErrors: [{ code: 'NOT_FAILED' }] });
    await expect(retry(newUuidV7())).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const viewer: Principal = { ...operator, role: 'viewer' };
    await expect(
      retryExecution(fixture.database.pool, viewer, { id: executionIds[0]!, workerVersion: 'PRESENT' }),
    ).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });
});
