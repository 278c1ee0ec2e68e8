import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AppError } from '../../../src/errors.js';
import { topics } from '../../../src/events/event.js';
import type { ExecutionView } from '../../../src/executions/execution-view.js';
import { readExecutionEvents } from '../../../src/executions/read-events.js';
import { readExecution } from '../../../src/executions/read-executions.js';
import { readStepOutputs, readStepsOfExecutions } from '../../../src/executions/read-steps.js';
import type { ExecutionStatus } from '../../../src/executions/states.js';
import { asJsonText, toJsonText } from '../../../src/lib/json-text.js';
import { LeaseLost, Postponed, type WorkerRun } from '../../../src/workers/worker-run.js';
import { type ExecutionFixture, openExecutionFixture, signal } from '../../support/execution-fixture.js';

const passing = (): AppError => new AppError('WORKER_FAILED', 'not yet', { retryable: true, retryAfterMs: 0 });

let fixture: ExecutionFixture;

beforeAll(async () => {
  fixture = await openExecutionFixture();
  await fixture.startRunner();
});

afterAll(() => fixture.close());

let named = 0;

/** Stores a call of a worker that behaves like this. */
async function store(
  behaviour: (run: WorkerRun) => Promise<unknown>,
  limits?: { attemptsMax?: number; timeoutMs?: number },
  body = '{}',
): Promise<{ callId: string; executionId: string; workerId: string }> {
  const workerId = `worker-steps-${(named += 1)}`;
  await fixture.addWorker(workerId, async (run) => ({ result: toJsonText(await behaviour(run)) }), limits);
  const { callId, executionIds } = await fixture.store([workerId], { body });
  return { callId, executionId: executionIds[0]!, workerId };
}

async function events(executionId: string): Promise<[string, unknown][]> {
  const all = await readExecutionEvents(fixture.database.pool, executionId, 0, 1_000);
  expect(all.map(({ seq }) => seq)).toEqual(all.map((_, i) => i + 1)); // without a gap
  return all.map(({ kind, data }) => [kind, JSON.parse(data) as unknown]);
}

async function steps(executionId: string): Promise<Record<string, unknown>[]> {
  const list = (await readStepsOfExecutions(fixture.database.pool, [executionId])).get(executionId) ?? [];
  const outputs = await readStepOutputs(
    fixture.database.pool,
    list.map(({ path }) => ({ executionId, path })),
  );
  return list.map((view, i) => ({ ...view, output: outputs[i]?.text }));
}

/** Does a step unless it is finished, as workers do. */
async function step(run: WorkerRun, path: string, work: () => unknown): Promise<unknown> {
  const earlier = run.steps.finished(path);
  if (earlier !== undefined) return JSON.parse(earlier.output) as unknown;
  await run.steps.start(path);
  const output = toJsonText(await work());
  await run.steps.finish(path, { output, usage: { promptTokens: 3 } });
  return JSON.parse(output) as unknown;
}

describe('steps', () => {
  it('are rows and events, and a worker without any costs no more than before', async () => {
    const { callId, executionId } = await store((run) => step(run, 'look', () => ({ found: 1 })));
    const [execution] = await fixture.end(callId);
    expect(execution).toMatchObject({ status: 'SUCCEEDED', result: '{"found":1}', lastEventSeq: 5 });
    expect(await events(executionId)).toEqual([
      ['status', { status: 'QUEUED', attempt: 0 }],
      ['status', { status: 'RUNNING', attempt: 1 }],
      ['step', { path: 'look', status: 'RUNNING', attempt: 1 }],
      ['step', { path: 'look', status: 'SUCCEEDED', attempt: 1 }],
      ['status', { status: 'SUCCEEDED', attempt: 1 }],
    ]);
    expect(await steps(executionId)).toMatchObject([
      { path: 'look', attempt: 1, status: 'SUCCEEDED', output: '{"found":1}', usage: { promptTokens: 3 }, error: null },
    ]);
  });

  it('that are finished never run again, those that failed do', async () => {
    const ran: string[] = [];
    const { callId, executionId } = await store(async (run) => {
      const first = await step(run, 'first', () => ran.push(`first ${run.attempt}`));
      await run.steps.start('second');
      ran.push(`second ${run.attempt}`);
      if (run.attempt === 1) {
        await run.steps.fail('second', new Error('the ERP is closed'));
        throw passing();
      }
      await run.steps.finish('second', { output: asJsonText('2') });
      return first;
    });
    const [execution] = await fixture.end(callId);
    expect(execution).toMatchObject({ status: 'SUCCEEDED', attempt: 2, result: '1' });
    expect(ran).toEqual(['first 1', 'second 1', 'second 2']);
    expect(await steps(executionId)).toMatchObject([
      { path: 'first', attempt: 1, status: 'SUCCEEDED' },
      { path: 'second', attempt: 2, status: 'SUCCEEDED', error: null },
    ]);
    expect(await events(executionId)).toContainEqual(['step', { path: 'second', status: 'FAILED', attempt: 1 }]);
  });

  it('show the error of one that failed', async () => {
    const { callId, executionId } = await store(
      async (run) => {
        await run.steps.start('look');
        await run.steps.fail('look', new AppError('HTTP_WORKER_STATUS', 'status 404'));
        return null;
      },
      { attemptsMax: 1 },
    );
    await fixture.end(callId);
    expect(await steps(executionId)).toMatchObject([
      { status: 'FAILED', output: undefined, error: { code: 'HTTP_WORKER_STATUS', message: 'status 404' } },
    ]);
  });

  it('refuses to start a finished one, and outputs and paths that cannot be stored', async () => {
    const { callId } = await store(async (run) => {
      await step(run, 'once', () => 1);
      const refused = await Promise.allSettled([
        run.steps.start('once'),
        run.steps.start(''),
        run.steps.start('a\0b'),
        run.steps.start('x'.repeat(1_001)),
        run.steps.finish('big', { output: toJsonText('x'.repeat(1_100_000)) }),
      ]);
      return refused.map((result) => (result.status === 'rejected' ? (result.reason as Error).name : 'taken'));
    });
    const [execution] = await fixture.end(callId);
    expect(JSON.parse(execution!.result!)).toEqual(['TypeError', 'TypeError', 'TypeError', 'TypeError', 'AppError']);
  });

  it('fails the attempt whose output is no JSON', async () => {
    const { callId } = await store((run) => run.steps.finish('broken', { output: asJsonText('{"a') }));
    const [execution] = await fixture.end(callId);
    expect(execution).toMatchObject({ status: 'FAILED', error: { code: 'WORKER_OUTPUT_INVALID' } });
  });

  it('of many executions at once stay apart', async () => {
    const calls = await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        store(async (run) => {
          const both = [step(run, 'a', () => n), step(run, 'b', () => n + 1)];
          return await Promise.all(both);
        }),
      ),
    );
    for (const [n, { callId, executionId }] of calls.entries()) {
      const [execution] = await fixture.end(callId);
      expect(execution).toMatchObject({ result: `[${n},${n + 1}]`, lastEventSeq: 7 });
      expect(await events(executionId)).toHaveLength(7);
    }
  });

  it('are refused to whoever lost the lease, and nothing of theirs is written', async () => {
    const [begun, taken] = [signal(), signal()];
    let thrown: unknown;
    let aborted: unknown;
    const { callId, executionId } = await store(async (run) => {
      if (run.attempt === 2) return 'mine';
      await run.steps.start('look');
      begun.give();
      await taken.given;
      thrown = await run.steps.finish('look', { output: asJsonText('"stale"') }).catch((error: unknown) => error);
      aborted = run.signal.reason;
      return 'stale';
    });
    await begun.given;
    await fixture.pool.query("update executions set status = 'QUEUED', lease_token = null where id = $1", [
      executionId,
    ]);
    taken.give();
    const [execution] = await fixture.end(callId);
    expect(thrown).toBeInstanceOf(LeaseLost);
    expect(aborted).toBeInstanceOf(LeaseLost);
    expect(execution).toMatchObject({ status: 'SUCCEEDED', attempt: 2, result: '"mine"' });
    expect(await steps(executionId)).toMatchObject([{ path: 'look', status: 'RUNNING', output: undefined }]);
  });
});

describe('a worker that is postponed', () => {
  it('waits without a slot and without spending an attempt, and finds its steps again', async () => {
    const ran: string[] = [];
    const { callId, executionId } = await store(
      async (run) => {
        await step(run, 'ask', () => ran.push('ask'));
        ran.push(`attempt ${run.attempt}`);
        if (ran.length < 4) throw new Postponed(0, 'The model has no room.');
        return ran.length;
      },
      { attemptsMax: 1 },
    );
    const [execution] = await fixture.end(callId);
    expect(ran).toEqual(['ask', 'attempt 1', 'attempt 1', 'attempt 1']);
    expect(execution).toMatchObject({ status: 'SUCCEEDED', attempt: 1, result: '4', error: null });
    expect((await events(executionId)).filter(([kind]) => kind === 'status')).toEqual([
      ['status', { status: 'QUEUED', attempt: 0 }],
      ['status', { status: 'RUNNING', attempt: 1 }],
      ['status', { status: 'WAITING', attempt: 0 }],
      ['status', { status: 'RUNNING', attempt: 1 }],
      ['status', { status: 'WAITING', attempt: 0 }],
      ['status', { status: 'RUNNING', attempt: 1 }],
      ['status', { status: 'SUCCEEDED', attempt: 1 }],
    ]);
  });

  it.each([
    { code: 'MODEL_RATE_LIMITED' as const, ending: { status: 'FAILED', error: { code: 'MODEL_RATE_LIMITED' } } },
    { code: undefined, ending: { status: 'SUCCEEDED', error: null } },
  ])('is put off for a day at most for want of room, and tries once more then ($code)', async ({ code, ending }) => {
    let runs = 0;
    const { callId, executionId } = await store(async () => {
      runs += 1;
      const waited = 'update executions set postponed_ms = 86399990 where id = $1';
      if (runs === 1) await fixture.pool.query(waited, [executionId]);
      if (runs === 4) return runs;
      throw new Postponed(runs === 2 && code !== undefined ? 3_600_000 : 0, 'The model has no room.', code);
    });
    const [execution] = await fixture.end(callId);
    expect(execution).toMatchObject(ending);
    expect(runs).toBe(code === undefined ? 4 : 3);
    const { rows } = await fixture.pool.query('select postponed_ms from executions where id = $1', [executionId]);
    expect(rows).toEqual([{ postponed_ms: code === undefined ? '86399990' : '86400000' }]);
  });

  it('says why it waits', async () => {
    const { executionId } = await store(() => Promise.reject(new Postponed(3_600_000, 'The model has no room.')));
    expect(await reaches(executionId, 'WAITING')).toMatchObject({
      attempt: 0,
      error: { code: 'POSTPONED', message: 'The model has no room.' },
    });
  });
});

/** Waits for a state that is no end. */
async function reaches(executionId: string, status: ExecutionStatus): Promise<ExecutionView> {
  const heard = fixture.hub.subscribe([topics.execution(executionId)]);
  const changes = heard[Symbol.asyncIterator]();
  for (;;) {
    const execution = await readExecution(fixture.database.pool, executionId);
    if (execution?.status === status) {
      heard.close();
      return execution;
    }
    await changes.next();
  }
}
