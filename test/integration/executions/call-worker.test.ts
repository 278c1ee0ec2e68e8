import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AppError } from '../../../src/errors.js';
import type { ExecutionView } from '../../../src/executions/execution-view.js';
import { readStepsOfExecutions } from '../../../src/executions/read-steps.js';
import { asJsonText, toJsonText } from '../../../src/lib/json-text.js';
import { Postponed, type WorkerRun } from '../../../src/workers/worker-run.js';
import { type Behaviour, type ExecutionFixture, openExecutionFixture } from '../../support/execution-fixture.js';

let fixture: ExecutionFixture;

beforeAll(async () => {
  fixture = await openExecutionFixture();
  await fixture.startRunner();
});

afterAll(() => fixture.close());

const passing = (): AppError => new AppError('WORKER_FAILED', 'not yet', { retryable: true, retryAfterMs: 0 });

const returns =
  (work: (run: WorkerRun) => unknown): Behaviour =>
  async (given) => ({ result: toJsonText(await work(given)) });

async function run(workerId: string, body = '{}'): Promise<ExecutionView> {
  const { callId } = await fixture.store([workerId], { body });
  const [execution] = await fixture.end(callId);
  return execution!;
}

async function steps(executionId: string): Promise<unknown[]> {
  return [...((await readStepsOfExecutions(fixture.database.pool, [executionId])).get(executionId) ?? [])];
}

describe('callWorker', () => {
  it('runs another worker as a step, with its tokens, and gives its result', async () => {
    await fixture.addWorker('worker-callee', async ({ inputParams, executionId, attempt }) => ({
      result: toJsonText({ inputParams, executionId, attempt }),
      promptTokens: 10,
      completionTokens: 2,
    }));
    await fixture.addWorker('worker-caller', async ({ callWorker, inputParams }) => ({
      result: toJsonText(await callWorker({ workerId: 'worker-callee', input: { got: inputParams }, path: 'ask' })),
      promptTokens: 1,
    }));
    const execution = await run('worker-caller', '{"n":1}');
    expect(execution).toMatchObject({ status: 'SUCCEEDED', promptTokens: 11, completionTokens: 2 });
    expect(JSON.parse(execution.result!)).toMatchObject({ inputParams: { got: { n: 1 } }, attempt: 1 });
    expect(await steps(execution.id)).toMatchObject([
      {
        path: 'ask',
        status: 'SUCCEEDED',
        workerId: 'worker-callee',
        workerVersion: 1,
        usage: { promptTokens: 10, completionTokens: 2 },
      },
    ]);
  });

  it('never runs it again once it finished, at any depth, and still counts its tokens', async () => {
    const ran: string[] = [];
    await fixture.addWorker('worker-deep', async () => {
      ran.push('deep');
      return { result: asJsonText('7'), promptTokens: 5 };
    });
    await fixture.addWorker('worker-middle', async ({ callWorker, attempt }) => {
      ran.push(`middle ${attempt}`);
      const seven = await callWorker({ workerId: 'worker-deep', input: null, path: 'a' });
      if (attempt === 1) throw passing();
      return { result: toJsonText(seven) };
    });
    await fixture.addWorker('worker-top', async ({ callWorker }) => ({
      result: toJsonText(await callWorker({ workerId: 'worker-middle', input: {}, path: 'm' })),
    }));
    const execution = await run('worker-top');
    expect(execution).toMatchObject({ status: 'SUCCEEDED', attempt: 2, result: '7', promptTokens: 5 });
    expect(ran).toEqual(['middle 1', 'deep', 'middle 2']);
    expect(await steps(execution.id)).toMatchObject([
      { path: 'm/a', attempt: 1, status: 'SUCCEEDED' },
      { path: 'm', attempt: 2, status: 'SUCCEEDED' },
    ]);
  });

  it('keeps the version that it first called', async () => {
    await fixture.addWorker('worker-versioned', ({ attempt }) =>
      attempt === 1 ? Promise.reject(passing()) : Promise.resolve({ result: asJsonText('"first version"') }),
    );
    await fixture.addWorker('worker-pins', async ({ callWorker, attempt }) => {
      if (attempt === 2) await newVersion('worker-versioned');
      return { result: toJsonText(await callWorker({ workerId: 'worker-versioned', input: 1, path: 'v' })) };
    });
    const execution = await run('worker-pins');
    expect(execution).toMatchObject({ status: 'SUCCEEDED', attempt: 2 });
    expect(await steps(execution.id)).toMatchObject([{ workerVersion: 1 }]);
  });

  it('checks the input by the schema of the worker called', async () => {
    await fixture.addWorker(
      'worker-strict',
      returns(() => 'never'),
    );
    await fixture.pool.query("update worker_versions set input_schema = $1 where worker_id = 'worker-strict'", [
      { type: 'object', required: ['order'] },
    ]);
    await fixture.addWorker(
      'worker-careless',
      returns(({ callWorker }) => callWorker({ workerId: 'worker-strict', input: {}, path: 'x' })),
    );
    const execution = await run('worker-careless');
    expect(execution).toMatchObject({ status: 'FAILED', attempt: 1, error: { code: 'WORKER_INPUT_REFUSED' } });
    expect(await steps(execution.id)).toMatchObject([{ status: 'FAILED', error: { code: 'WORKER_INPUT_REFUSED' } }]);
  });

  it('refuses circles, and chains of more than eight', async () => {
    await fixture.addWorker(
      'worker-circle-a',
      returns(({ callWorker }) => callWorker({ workerId: 'worker-circle-b', input: 1, path: 'b' })),
    );
    await fixture.addWorker(
      'worker-circle-b',
      returns(({ callWorker }) => callWorker({ workerId: 'worker-circle-a', input: 1, path: 'a' })),
    );
    expect(await run('worker-circle-a')).toMatchObject({
      status: 'FAILED',
      error: {
        code: 'WORKER_CALL_REFUSED',
        message: expect.stringContaining('worker-circle-a → worker-circle-b → worker-circle-a'),
      },
    });
    for (let n = 1; n <= 9; n += 1) {
      await fixture.addWorker(
        `worker-chain-${n}`,
        returns(({ callWorker }) =>
          n === 9 ? 'deep' : callWorker({ workerId: `worker-chain-${n + 1}`, input: n, path: 'next' }),
        ),
      );
    }
    expect(await run('worker-chain-2')).toMatchObject({ status: 'SUCCEEDED', result: '"deep"' });
    expect(await run('worker-chain-1')).toMatchObject({ status: 'FAILED', error: { code: 'WORKER_CALL_REFUSED' } });
  });

  it('says that there is no such worker', async () => {
    await fixture.addWorker(
      'worker-lonely',
      returns(({ callWorker }) => callWorker({ workerId: 'worker-nobody', input: 1, path: 'x' })),
    );
    expect(await run('worker-lonely')).toMatchObject({ status: 'FAILED', error: { code: 'NOT_FOUND' } });
  });

  it('ends the worker called when the time of its caller, or its own, is over', async () => {
    const reasons: unknown[] = [];
    const deaf: Behaviour = ({ signal }) => {
      signal.addEventListener('abort', () => reasons.push((signal.reason as Error).message));
      return new Promise(() => undefined);
    };
    await fixture.addWorker('worker-deaf', deaf, { timeoutMs: 60_000 });
    await fixture.addWorker('worker-deaf-briefly', deaf, { timeoutMs: 20 });
    await fixture.addWorker(
      'worker-hurried',
      returns(({ callWorker }) => callWorker({ workerId: 'worker-deaf', input: 1, path: 'x' })),
      { attemptsMax: 1, timeoutMs: 30 },
    );
    await fixture.addWorker(
      'worker-patient',
      returns(({ callWorker }) =>
        callWorker({ workerId: 'worker-deaf-briefly', input: 1, path: 'x' }).catch((error: AppError) => error.code),
      ),
    );
    expect(await run('worker-hurried')).toMatchObject({ status: 'TIMED_OUT' });
    expect(await run('worker-patient')).toMatchObject({ status: 'SUCCEEDED', result: '"WORKER_TIMED_OUT"' });
    expect(reasons).toEqual([expect.stringContaining('30 ms'), expect.stringContaining('20 ms')]);
  });

  it('waits as a whole when the worker called is postponed', async () => {
    let asked = 0;
    await fixture.addWorker('worker-limited', () =>
      (asked += 1) === 1
        ? Promise.reject(new Postponed(0, 'no room'))
        : Promise.resolve({ result: asJsonText('"done"') }),
    );
    await fixture.addWorker(
      'worker-waits',
      returns(({ callWorker }) => callWorker({ workerId: 'worker-limited', input: 1, path: 'x' })),
      { attemptsMax: 1 },
    );
    expect(await run('worker-waits')).toMatchObject({ status: 'SUCCEEDED', attempt: 1, result: '"done"' });
  });
});

async function newVersion(workerId: string): Promise<void> {
  await fixture.pool.query(
    `insert into worker_versions (worker_id, version, definition, timeout_ms, attempts_max)
     values ($1, 2, '{}', 60000, 3)`,
    [workerId],
  );
  await fixture.pool.query('update workers set current_version = 2 where id = $1', [workerId]);
}
