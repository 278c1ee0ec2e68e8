import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AppError } from '../../../src/errors.js';
import type { ExecutionView } from '../../../src/executions/execution-view.js';
import { readStepsOfExecutions } from '../../../src/executions/read-steps.js';
import { retryExecution } from '../../../src/executions/retry.js';
import { asJsonText, toJsonText } from '../../../src/lib/json-text.js';
import { newWorkerId } from '../../../src/lib/ids.js';
import { type ExecutionFixture, openExecutionFixture, signal } from '../../support/execution-fixture.js';

let fixture: ExecutionFixture;

beforeAll(async () => {
  fixture = await openExecutionFixture();
  await fixture.startRunner();
});

afterAll(() => fixture.close());

const passing = (): AppError => new AppError('WORKER_FAILED', 'not yet', { retryable: true });

/** A workflow of these steps. */
const workflowOf = async (steps: readonly unknown[], more: object = {}): Promise<string> => {
  const id = newWorkerId();
  await fixture.addWorkflow(id, { version: 1, steps, ...more });
  return id;
};

const run = async (workflowId: string, body: unknown = {}): Promise<ExecutionView> => {
  const { callId } = await fixture.store([workflowId], { body: JSON.stringify(body) });
  const [execution] = await fixture.end(callId);
  return execution!;
};

const resultOf = async (steps: readonly unknown[], body: unknown = {}, more: object = {}): Promise<unknown> => {
  const execution = await run(await workflowOf(steps, more), body);
  expect(execution).toMatchObject({ status: 'SUCCEEDED', error: null });
  return JSON.parse(execution.result!);
};

const stepsOf = async (executionId: string): Promise<string[]> => {
  const all = (await readStepsOfExecutions(fixture.database.pool, [executionId])).get(executionId) ?? [];
  return all.map(({ path, status }) => `${path} ${status}`);
};

const seqOf = async (executionId: string): Promise<number> => {
  const { rows } = await fixture.pool.query<{ seq: number }>(
    'select last_event_seq as seq from executions where id = $1',
    [executionId],
  );
  return rows[0]!.seq;
};

/** Resolves when an execution waits that has begun so many tries and waits of its steps. */
const waits = async (executionId: string, begun = 1): Promise<void> => {
  await fixture.until(executionId, async () => {
    const { rows } = await fixture.pool.query<{ status: string; begun: number }>(
      `select e.status, coalesce(sum(case when s.state ? 'tries' then (s.state ->> 'tries')::int
           when s.state ? 'wakeAtMs' then 1 else 0 end), 0)::int as begun
       from executions e left join execution_steps s on s.execution_id = e.id where e.id = $1 group by 1`,
      [executionId],
    );
    return rows[0]?.status === 'WAITING' && rows[0].begun >= begun;
  });
};

describe('a workflow', () => {
  it('hands on what its steps give, with their types', async () => {
    await fixture.addWorker('worker-double', async ({ inputParams }) => ({
      result: toJsonText({ twice: (inputParams as { n: number }).n * 2 }),
    }));
    const result = await resultOf(
      [
        { id: 'first', worker: 'worker-double', with: { n: '{{ input.n }}' } },
        { id: 'second', worker: 'worker-double', with: { n: '{{ steps.first.result.twice }}' } },
        { id: 'note', set: { text: 'It is {{ steps.second.result.twice }}.', all: '{{ input.list }}' } },
      ],
      { n: 5, list: [1, 2] },
      { output: { n: '{{ steps.second.result.twice }}', note: '{{ steps.note.result }}' } },
    );
    expect(result).toEqual({ n: 20, note: { text: 'It is 20.', all: [1, 2] } });
  });

  it('gives what its last step gave, number for number, when it has no output', async () => {
    await fixture.addWorker('worker-exact', async () => ({ result: asJsonText('{"id":12345678901234567890}') }));
    const execution = await run(await workflowOf([{ id: 'a', worker: 'worker-exact' }]));
    expect(execution.result).toBe('{"id":12345678901234567890}');
  });

  it('gives a worker the body when it says nothing else', async () => {
    await fixture.addWorker('worker-same', async ({ inputText }) => ({ result: inputText }));
    expect(await resultOf([{ id: 'a', worker: 'worker-same' }], { b: [1] })).toEqual({ b: [1] });
  });

  it('skips what its condition rules out, and its result is null', async () => {
    const execution = await run(
      await workflowOf(
        [
          { id: 'a', if: '{{ input.n > 5 }}', set: { x: 1 } },
          { id: 'b', if: 'input.n > 5', set: { x: 2 } },
          { id: 'c', if: 'input.n == 3', set: { a: '{{ steps.a.result }}' } },
        ],
        { output: '{{ steps.c.result }}' },
      ),
      { n: 3 },
    );
    expect(execution.result).toBe('{"a":null}');
    expect(await stepsOf(execution.id)).toEqual(['a SKIPPED', 'b SKIPPED', 'c SUCCEEDED']);
  });

  it('does the first case that holds, and sees its steps behind it', async () => {
    const steps = [
      {
        id: 'route',
        switch: [
          { if: 'input.n > 10', do: [{ id: 'big', set: { is: 'big' } }] },
          { if: 'input.n > 5', do: [{ id: 'middle', set: { is: 'middle' } }] },
          { do: [{ id: 'small', set: { is: 'small' } }] },
        ],
      },
      { id: 'end', set: { route: '{{ steps.route.result.is }}', big: '{{ steps.big.result }}' } },
    ];
    expect(await resultOf(steps, { n: 11 })).toEqual({ route: 'big', big: { is: 'big' } });
    expect(await resultOf(steps, { n: 7 })).toEqual({ route: 'middle', big: null });
    expect(await resultOf(steps, { n: 1 })).toEqual({ route: 'small', big: null });
  });

  it('does branches side by side and items in their order', async () => {
    const both = [signal(), signal()];
    await fixture.addWorker('worker-meets', async ({ inputParams }) => {
      const me = inputParams as number;
      both[me]!.give();
      await both[1 - me]!.given; // neither ends before the other began
      return { result: toJsonText(me) };
    });
    const result = await resultOf(
      [
        {
          id: 'both',
          parallel: [
            [{ id: 'left', worker: 'worker-meets', with: 0 }],
            [{ id: 'right', worker: 'worker-meets', with: 1 }],
          ],
        },
        {
          id: 'each',
          foreach: '{{ input.items }}',
          concurrency: 2,
          do: [{ id: 'one', set: { at: '{{ index }}', is: '{{ item }}', left: '{{ steps.left.result }}' } }],
        },
      ],
      { items: ['a', 'b', 'c'] },
      { output: { both: '{{ steps.both.result }}', each: '{{ steps.each.result }}' } },
    );
    expect(result).toEqual({
      both: [0, 1],
      each: [
        { at: 0, is: 'a', left: 0 },
        { at: 1, is: 'b', left: 0 },
        { at: 2, is: 'c', left: 0 },
      ],
    });
  });

  it('never has more items under way than it may', async () => {
    let underWay = 0;
    let most = 0;
    const three = signal();
    await fixture.addWorker('worker-counts', async () => {
      underWay += 1;
      most = Math.max(most, underWay);
      if (underWay === 3) three.give();
      await three.given; // one at a time would never end
      underWay -= 1;
      return { result: asJsonText('1') };
    });
    await resultOf(
      [{ id: 'each', foreach: '{{ input }}', concurrency: 3, do: [{ id: 'one', worker: 'worker-counts' }] }],
      Array.from({ length: 12 }, (_, i) => i),
    );
    expect(most).toBe(3);
  });

  it('fails with the step that failed, whose error says where', async () => {
    await fixture.addWorker('worker-fails', () => Promise.reject(new AppError('WORKER_FAILED', 'no luck')));
    const execution = await run(
      await workflowOf([{ id: 'each', foreach: '{{ input }}', do: [{ id: 'one', worker: 'worker-fails' }] }]),
      [1],
    );
    expect(execution).toMatchObject({
      status: 'FAILED',
      attempt: 1,
      error: { code: 'WORKER_FAILED', message: 'In step "each/0/one": no luck', retryable: false },
    });
  });

  it('goes on behind a step that may fail', async () => {
    await fixture.addWorker('worker-fails-too', () => Promise.reject(new AppError('HTTP_WORKER_STATUS', 'status 500')));
    const result = await resultOf([
      { id: 'a', worker: 'worker-fails-too', onError: 'continue' },
      { id: 'b', set: { was: '{{ steps.a.error.code }}', result: '{{ steps.a.result }}' } },
    ]);
    expect(result).toEqual({ was: 'HTTP_WORKER_STATUS', result: null });
  });

  it('fails a step whose template cannot be filled in', async () => {
    const execution = await run(await workflowOf([{ id: 'a', set: { x: '{{ input.missing.deep }}' } }]));
    expect(execution).toMatchObject({ status: 'FAILED', error: { code: 'TEMPLATE_FAILED' } });
  });

  it('refuses to go through what is no array, or too long', async () => {
    const id = await workflowOf([{ id: 'each', foreach: '{{ input }}', do: [{ id: 'one', set: {} }] }]);
    expect(await run(id, { no: 'array' })).toMatchObject({ error: { code: 'TEMPLATE_FAILED' } });
    const many = Array.from({ length: 1_001 }, () => 0);
    expect(await run(id, many)).toMatchObject({ error: { code: 'WORKFLOW_TOO_LARGE' } });
  });

  it('ends what runs beside a branch that failed', async () => {
    const begun = signal();
    const ended = signal();
    await fixture.addWorker('worker-long', async ({ signal: aborted }) => {
      aborted.addEventListener('abort', () => ended.give());
      begun.give();
      await ended.given;
      throw aborted.reason as Error;
    });
    await fixture.addWorker('worker-fails-then', async () => {
      await begun.given;
      throw new AppError('WORKER_FAILED', 'first');
    });
    const execution = await run(
      await workflowOf([
        { id: 'p', parallel: [[{ id: 'l', worker: 'worker-long' }], [{ id: 'f', worker: 'worker-fails-then' }]] },
      ]),
    );
    expect(execution.error).toMatchObject({ message: 'In step "p/1/f": first' });
    await ended.given;
  });

  it('sends a request through a connection, the same key with every try', async () => {
    const requests: unknown[] = [];
    fixture.answerRequests(async (request) => {
      requests.push(request);
      const again = requests.length === 1;
      return {
        status: again ? 503 : 200,
        headers: { 'content-type': 'application/json', ...(again && { 'retry-after': '30' }) },
        body: Buffer.from('{"stock":4}'),
        truncated: false,
      };
    });
    const id = await workflowOf([
      {
        id: 'look',
        http: {
          connection: 'conn-erp',
          method: 'POST',
          path: '/s/{{ input.sku }}',
          query: { q: '{{ input.q }}' },
          headers: { 'X-Who': 'me' },
          body: { n: '{{ input.n }}' },
        },
        retry: { max: 1 },
      },
    ]);
    const { callId, executionIds } = await fixture.store([id], { body: '{"sku":"a/b","q":"x y","n":3}' });
    await waits(executionIds[0]!);
    await fixture.passTime(30_000);
    const [execution] = await fixture.end(callId);
    expect(JSON.parse(execution!.result!)).toMatchObject({ status: 200, body: { stock: 4 } });
    const sent = {
      connectionId: 'conn-erp',
      method: 'POST',
      path: '/s/a%2Fb',
      query: { q: 'x y' },
      body: '{"n":3}',
      headers: { 'x-who': 'me', 'idempotency-key': expect.stringMatching(/^exec-.*:look$/) },
    };
    expect(requests).toMatchObject([sent, sent]);
    expect(execution).toMatchObject({ attempt: 1 });
  });
});

describe('a step that is tried again', () => {
  it('runs its worker afresh, holds nothing between two tries, and forgets none over a pause', async () => {
    const inner: string[] = [];
    let tries = 0;
    await fixture.addWorker('worker-steps', async ({ steps }) => {
      tries += 1;
      if (steps.finished('inner') === undefined) {
        await steps.start('inner');
        await steps.finish('inner', { output: asJsonText('1') });
        inner.push(`inner of try ${tries}`);
      }
      if (tries < 3) throw passing();
      return { result: toJsonText(tries) };
    });
    const id = await workflowOf([{ id: 'a', worker: 'worker-steps', retry: { max: 2, delay: '1h' } }]);
    const { callId, executionIds } = await fixture.store([id]);
    for (const begun of [1, 2]) {
      await waits(executionIds[0]!, begun);
      await fixture.passTime(7_200_000);
    }
    const [execution] = await fixture.end(callId);
    expect(execution).toMatchObject({ status: 'SUCCEEDED', attempt: 1, result: '3' });
    expect(inner).toEqual(['inner of try 1', 'inner of try 2', 'inner of try 3']);
  });

  it('fails when its tries are over', async () => {
    await fixture.addWorker('worker-never', () => Promise.reject(passing()));
    const id = await workflowOf([{ id: 'a', worker: 'worker-never', retry: { max: 1, backoff: 'fixed' } }]);
    const { callId, executionIds } = await fixture.store([id]);
    await waits(executionIds[0]!);
    await fixture.passTime(1_000);
    const [execution] = await fixture.end(callId);
    expect(execution).toMatchObject({ status: 'FAILED', error: { message: 'In step "a": not yet' } });
    expect(await stepsOf(execution!.id)).toEqual(['a FAILED', 'a/1 FAILED', 'a/2 FAILED']);
  });

  it('is not tried again when the error will not pass', async () => {
    let tries = 0;
    await fixture.addWorker('worker-for-good', () => {
      tries += 1;
      return Promise.reject(new AppError('WORKER_FAILED', 'never'));
    });
    await run(await workflowOf([{ id: 'a', worker: 'worker-for-good', retry: { max: 5 } }]));
    expect(tries).toBe(1);
  });

  it('is aborted at its timeout, and that may pass', async () => {
    let tries = 0;
    await fixture.addWorker('worker-hangs', ({ signal: aborted }) => {
      tries += 1;
      if (tries === 2) return Promise.resolve({ result: asJsonText('2') });
      return new Promise((_, reject) => {
        aborted.addEventListener('abort', () => reject(aborted.reason as Error));
      });
    });
    const id = await workflowOf([{ id: 'a', worker: 'worker-hangs', timeout: '20ms', retry: { max: 1 } }]);
    const { callId, executionIds } = await fixture.store([id]);
    await waits(executionIds[0]!);
    await fixture.passTime(10_000);
    expect((await fixture.end(callId))[0]).toMatchObject({ status: 'SUCCEEDED', result: '2' });
    expect(await stepsOf(executionIds[0]!)).toEqual(['a SUCCEEDED', 'a/1 FAILED', 'a/2 SUCCEEDED']);
  });
});

describe('a workflow that is retried', () => {
  it('begins afresh, as a new execution of its call', async () => {
    let ran = 0;
    await fixture.addWorker('worker-before', async () => {
      ran += 1;
      return { result: toJsonText(ran) };
    });
    await fixture.addWorker('worker-then', () =>
      ran === 1
        ? Promise.reject(new AppError('WORKER_FAILED', 'once'))
        : Promise.resolve({ result: asJsonText('"ok"') }),
    );
    const id = await workflowOf([
      { id: 'a', worker: 'worker-before' },
      { id: 'b', worker: 'worker-then' },
    ]);
    const { callId, executionIds } = await fixture.store([id]);
    expect((await fixture.end(callId))[0]).toMatchObject({ status: 'FAILED' });
    const { rows } = await fixture.pool.query<{ id: string }>('select id from users limit 1');
    const operator = { userId: rows[0]!.id, role: 'operator', scopes: [] } as const;
    const outcome = await retryExecution(
      fixture.pool,
      { ...operator, credential: { type: 'api-token', id: 'test' } },
      { id: executionIds[0]!, workerVersion: 'PRESENT' },
    );
    expect(outcome.ok).toBe(true);
    const ended = await fixture.end(callId);
    expect(ended.at(-1)).toMatchObject({ status: 'SUCCEEDED', result: '"ok"', retryOf: executionIds[0] });
    expect(ran).toBe(2);
  });
});

describe('a wait', () => {
  it('holds nothing, and what is beside it goes on', async () => {
    let ran = 0;
    await fixture.addWorker('worker-beside', async () => {
      ran += 1;
      return { result: asJsonText('"done"') };
    });
    const id = await workflowOf([
      { id: 'p', parallel: [[{ id: 'pause', wait: '10m' }], [{ id: 'work', worker: 'worker-beside' }]] },
      { id: 'end', set: { work: '{{ steps.work.result }}' } },
    ]);
    const { callId, executionIds } = await fixture.store([id]);
    await waits(executionIds[0]!);
    expect(await stepsOf(executionIds[0]!)).toEqual(
      expect.arrayContaining(['p RUNNING', 'p/0/pause WAITING', 'p/1/work SUCCEEDED']),
    );
    const early = await seqOf(executionIds[0]!);
    await fixture.passTime(500_000);
    await fixture.until(executionIds[0]!, async () => (await seqOf(executionIds[0]!)) >= early + 2); // woken too early, it waits on
    await waits(executionIds[0]!);
    await fixture.passTime(200_000);
    expect((await fixture.end(callId))[0]).toMatchObject({
      status: 'SUCCEEDED',
      attempt: 1,
      result: '{"work":"done"}',
    });
    expect(ran).toBe(1);
  });

  it('waits for as long as a template says', async () => {
    const id = await workflowOf([{ id: 'pause', wait: '{{ input.for }}' }]);
    const { callId, executionIds } = await fixture.store([id], { body: '{"for":"PT2H"}' });
    await waits(executionIds[0]!);
    await fixture.passTime(7_200_000);
    expect((await fixture.end(callId))[0]).toMatchObject({ status: 'SUCCEEDED', result: 'null' });
    expect(await run(id, { for: 'soon' })).toMatchObject({ status: 'FAILED', error: { code: 'TEMPLATE_FAILED' } });
    expect(await run(id, { for: 0 })).toMatchObject({ status: 'SUCCEEDED' });
  });

  it('puts off the whole execution from within a workflow that is a step', async () => {
    const lower = await workflowOf([
      { id: 'pause', wait: '1d' },
      { id: 'end', set: { got: '{{ input.x }}' } },
    ]);
    const upper = await workflowOf([{ id: 'run', worker: lower, with: { x: '{{ input.y }}' } }]);
    const { callId, executionIds } = await fixture.store([upper], { body: '{"y":9}' });
    await waits(executionIds[0]!);
    await fixture.passTime(86_400_000);
    expect((await fixture.end(callId))[0]).toMatchObject({ status: 'SUCCEEDED', result: '{"got":9}', attempt: 1 });
    expect(await stepsOf(executionIds[0]!)).toEqual(expect.arrayContaining(['run/1/pause SUCCEEDED']));
  });

  it('keeps its place among the items of a foreach', async () => {
    const seen: unknown[] = [];
    await fixture.addWorker('worker-notes', async ({ inputParams }) => {
      seen.push(inputParams);
      return { result: asJsonText('1') };
    });
    const id = await workflowOf([
      {
        id: 'each',
        foreach: '{{ input }}',
        concurrency: 1,
        do: [
          { id: 'note', worker: 'worker-notes', with: '{{ item }}' },
          { id: 'pace', wait: '1m' },
        ],
      },
    ]);
    const { callId, executionIds } = await fixture.store([id], { body: '[1,2]' });
    await waits(executionIds[0]!);
    expect(seen).toEqual([1]);
    await fixture.passTime(60_000);
    await waits(executionIds[0]!, 4); // a try and a wait of each item
    await fixture.passTime(60_000);
    await fixture.end(callId);
    expect(seen).toEqual([1, 2]);
  });
});
