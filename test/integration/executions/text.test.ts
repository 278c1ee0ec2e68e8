import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AppError } from '../../../src/errors.js';
import { topics } from '../../../src/events/event.js';
import type { ExecutionView } from '../../../src/executions/execution-view.js';
import { followExecution } from '../../../src/executions/follow-execution.js';
import { type ExecutionEventView, readExecutionEvents } from '../../../src/executions/read-events.js';
import { readExecution } from '../../../src/executions/read-executions.js';
import { readPartialTexts } from '../../../src/executions/read-text.js';
import { foldText, type TextEventData } from '../../../src/executions/text-pieces.js';
import { asJsonText, toJsonText } from '../../../src/lib/json-text.js';
import type { WorkerRun } from '../../../src/workers/worker-run.js';
import { type ExecutionFixture, openExecutionFixture, signal } from '../../support/execution-fixture.js';

const passing = (): AppError => new AppError('WORKER_FAILED', 'not yet', { retryable: true, retryAfterMs: 0 });

let fixture: ExecutionFixture;

beforeAll(async () => {
  fixture = await openExecutionFixture();
  await fixture.startRunner();
});

afterAll(() => fixture.close());

let named = 0;

async function store(
  behaviour: (run: WorkerRun) => Promise<unknown>,
): Promise<{ callId: string; executionId: string }> {
  const workerId = `worker-text-${(named += 1)}`;
  await fixture.addWorker(workerId, async (run) => ({ result: toJsonText(await behaviour(run)) }));
  const { callId, executionIds } = await fixture.store([workerId]);
  return { callId, executionId: executionIds[0]! };
}

async function ended(call: {
  callId: string;
  executionId: string;
}): Promise<ExecutionView & { deltas: TextEventData[] }> {
  const [execution] = await fixture.end(call.callId);
  return { ...execution!, deltas: await deltasOf(call.executionId) };
}

async function deltasOf(executionId: string): Promise<TextEventData[]> {
  const all = await readExecutionEvents(fixture.database.pool, executionId, 0, 10_000);
  expect(all.map(({ seq }) => seq)).toEqual(all.map((_, i) => i + 1)); // one count for all kinds, without a gap
  return all.filter(({ kind }) => kind === 'text').map(({ data }) => JSON.parse(data) as TextEventData);
}

/** What a reader has who heard of all of it; `path` is the call whose worker wrote it. */
function textOf(deltas: readonly TextEventData[], path = ''): string {
  return (foldText(deltas.map((delta) => JSON.stringify(delta))).get(path) ?? []).map(({ text }) => text).join('');
}

/** Writes a piece and waits until it is stored: until a step behind it is. */
async function emitAndStore(run: WorkerRun, text: string, marker: string): Promise<void> {
  run.emitText(text);
  await run.steps.start(marker);
  await run.steps.finish(marker, { output: asJsonText('null') });
}

describe('the text of an execution', () => {
  it('is stored in order, with offsets, in fewer pieces than were written', async () => {
    const pieces = Array.from({ length: 500 }, (_, n) => `${n} `);
    const { deltas, result, lastEventSeq } = await ended(
      await store(async ({ emitText }) => {
        for (const piece of pieces) {
          emitText(piece);
          if (piece.endsWith('0 ')) await new Promise(setImmediate);
        }
        return pieces.join('');
      }),
    );
    expect(textOf(deltas)).toBe(JSON.parse(result!));
    expect(deltas.length).toBeLessThan(50);
    expect(lastEventSeq).toBe(3 + deltas.length);
    let offset = 0;
    for (const delta of deltas) {
      expect(delta).toMatchObject({ attempt: 1, offset });
      offset += delta.delta.length;
    }
  });

  it('can be read while it is written, and is left to the result when that is there', async () => {
    const [written, read] = [signal(), signal()];
    const call = await store(async (run) => {
      await emitAndStore(run, 'so far', 'marker');
      written.give();
      await read.given;
      return 'so far';
    });
    await written.given;
    const partial = (): Promise<ReadonlyMap<string, string>> =>
      readPartialTexts(fixture.database.pool, [call.executionId]);
    expect(await partial()).toEqual(new Map([[call.executionId, 'so far']]));
    read.give();
    await ended(call);
    expect(await partial()).toEqual(new Map());
  });

  it('of an attempt that failed is taken back at once by the next one', async () => {
    const [begun, look] = [signal(), signal()];
    const call = await store(async (run) => {
      if (run.attempt === 1) {
        run.emitText('Dear Mr');
        throw passing();
      }
      begun.give();
      await look.given;
      run.emitText('Hello');
      return 'Hello';
    });
    await begun.given;
    look.give();
    const { deltas } = await ended(call);
    expect(deltas).toEqual([
      { attempt: 1, offset: 0, delta: 'Dear Mr' },
      { attempt: 2, offset: 0, delta: 'Hello' },
    ]);
    expect(textOf(deltas)).toBe('Hello');
  });

  it('is taken back even when the next attempt writes none', async () => {
    const { deltas } = await ended(
      await store(async (run) => {
        if (run.attempt === 2) return 'nothing';
        run.emitText('Dear Mr');
        throw passing();
      }),
    );
    expect(deltas.at(-1)).toEqual({ attempt: 2, offset: 0, delta: '' });
    expect(textOf(deltas)).toBe('');
  });

  it('stays as far as its steps are finished, and goes on where the repeated step began', async () => {
    const { deltas } = await ended(
      await store(async (run) => {
        for (const [path, text] of [
          ['model-1', 'Let me look. '],
          ['model-2', 'It is 🙂 in stock.'],
        ] as const) {
          if (run.steps.finished(path) !== undefined) continue;
          await run.steps.start(path);
          run.emitText(text.slice(0, 8));
          if (run.attempt === 1 && path === 'model-2') throw passing();
          run.emitText(text.slice(8));
          await run.steps.finish(path, { output: asJsonText('1') });
        }
        return null;
      }),
    );
    expect(textOf(deltas)).toBe('Let me look. It is 🙂 in stock.');
    expect(deltas).toEqual([
      { attempt: 1, step: 'model-1', offset: 0, delta: 'Let me look. ' },
      { attempt: 1, step: 'model-2', offset: 13, delta: 'It is 🙂' },
      { attempt: 2, offset: 13, delta: '' },
      { attempt: 2, step: 'model-2', offset: 13, delta: 'It is 🙂 in stock.' },
    ]);
  });

  it('of a step that is started again is taken back, as it failed or not', async () => {
    const { deltas } = await ended(
      await store(async (run) => {
        run.emitText('Well. ');
        for (const text of ['It w', 'It i', 'It is here.']) {
          await run.steps.start('model');
          run.emitText(text);
          if (text === 'It i') await run.steps.fail('model', new Error('cut off'));
        }
        await run.steps.finish('model', { output: asJsonText('1') });
        return null;
      }),
    );
    expect(textOf(deltas)).toBe('Well. It is here.');
    expect(deltas.filter(({ delta }) => delta === '')).toEqual([
      { attempt: 1, offset: 6, delta: '' },
      { attempt: 1, offset: 6, delta: '' },
    ]);
  });

  it('of a step that is started again stays when another has written behind it', async () => {
    const { deltas } = await ended(
      await store(async (run) => {
        await run.steps.start('one');
        run.emitText('a');
        await run.steps.fail('one', new Error('no'));
        run.emitText('b');
        await run.steps.start('one');
        run.emitText('c');
        return null;
      }),
    );
    expect(textOf(deltas)).toBe('abc');
  });

  it('belongs to the step that is open the longest', async () => {
    const { deltas } = await ended(
      await store(async (run) => {
        await run.steps.start('model');
        run.emitText('a');
        await run.steps.start('tool');
        run.emitText('b');
        await run.steps.finish('tool', { output: asJsonText('1') });
        run.emitText('c');
        await run.steps.finish('model', { output: asJsonText('1') });
        run.emitText('d');
        return null;
      }),
    );
    expect(deltas.map(({ step, delta }) => [step, delta]).reduce(join, [])).toEqual([
      ['model', 'abc'],
      [undefined, 'd'],
    ]);
  });

  it('of a finished step is written again behind what is repeated', async () => {
    const { deltas } = await ended(
      await store(async (run) => {
        run.emitText(`outside ${run.attempt}, `);
        if (run.steps.finished('s') === undefined) {
          await run.steps.start('s');
          run.emitText('inside 1, ');
          await run.steps.finish('s', { output: asJsonText('1') });
          throw passing();
        }
        run.emitText('end');
        return null;
      }),
    );
    expect(textOf(deltas)).toBe('outside 2, inside 1, end');
  });

  it('of a worker that is called is its own', async () => {
    await fixture.addWorker('worker-callee', async (run) => {
      run.emitText(`called ${run.attempt}`);
      if (run.attempt === 1) throw passing();
      return { result: asJsonText('1') };
    });
    const { deltas } = await ended(
      await store(async (run) => {
        run.emitText('mine, ');
        await run.callWorker({ workerId: 'worker-callee', input: 1, path: 'call' });
        run.emitText('mine again');
        return null;
      }),
    );
    expect(textOf(deltas)).toBe('mine, mine again');
    expect(textOf(deltas, 'call')).toBe('called 2');
    expect(deltas).toContainEqual({ attempt: 1, callPath: 'call', offset: 0, delta: 'called 1' });
  });

  it('is never cut within a character, and keeps what PostgreSQL’s text cannot', async () => {
    const { deltas, result } = await ended(
      await store(async ({ emitText }) => {
        emitText('a\ud83d');
        await new Promise((resolve) => setTimeout(resolve, 60)); // longer than pieces are gathered for
        emitText('\ude42b\0');
        emitText('\ud83d');
        return 'a🙂b\0\ud83d';
      }),
    );
    expect(textOf(deltas)).toBe(JSON.parse(result!));
    expect(deltas[0]).toMatchObject({ delta: 'a' });
  });

  it('ends at its limit, and says so', async () => {
    const { deltas, status } = await ended(
      await store(async ({ emitText }) => {
        for (let n = 0; n < 20; n += 1) emitText('x'.repeat(100_000));
        return null;
      }),
    );
    expect(status).toBe('SUCCEEDED');
    expect(textOf(deltas)).toHaveLength(1_048_576);
    expect(Math.max(...deltas.map(({ delta }) => delta.length))).toBeLessThanOrEqual(32_768);
    expect(deltas.findIndex(({ truncated }) => truncated)).toBe(deltas.length - 1);
  });

  it('of many executions at once stays apart', async () => {
    const calls = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        store(async ({ emitText }) => {
          for (let i = 0; i < 20; i += 1) {
            emitText(`${n}:${i} `);
            await new Promise(setImmediate);
          }
          return Array.from({ length: 20 }, (_unused, i) => `${n}:${i} `).join('');
        }),
      ),
    );
    for (const call of calls) {
      const { deltas, result } = await ended(call);
      expect(textOf(deltas)).toBe(JSON.parse(result!));
    }
  });
});

describe('whoever follows an execution', () => {
  const follow = async (executionId: string, afterSeq: number): Promise<ExecutionEventView[]> => {
    const hints = fixture.hub.subscribe([topics.execution(executionId), topics.executionProgress(executionId)]);
    const execution = (await readExecution(fixture.database.pool, executionId))!;
    const events: ExecutionEventView[] = [];
    for await (const event of followExecution(fixture.database.pool, hints, execution, afterSeq)) events.push(event);
    hints.close();
    return events;
  };

  it('hears all of it from any point on, early, late and behind a cursor', async () => {
    const [written, more] = [signal(), signal()];
    const call = await store(async (run) => {
      await emitAndStore(run, 'one ', 'a');
      written.give();
      await more.given;
      await emitAndStore(run, 'two ', 'b');
      run.emitText('three');
      return 'one two three';
    });
    await written.given;
    const early = follow(call.executionId, 0);
    const resumed = follow(call.executionId, 4);
    more.give();
    const all = await early;
    expect(textOf(all.filter(({ kind }) => kind === 'text').map(({ data }) => JSON.parse(data) as TextEventData))).toBe(
      'one two three',
    );
    expect(all.at(-1)).toMatchObject({ kind: 'status', data: expect.stringContaining('SUCCEEDED') });
    expect(await resumed).toEqual(all.slice(4));
    expect(await follow(call.executionId, 0)).toEqual(all);
    expect(await follow(call.executionId, 6)).toEqual(all.slice(6));
  });
});

/** Puts neighbours of the same step together. */
function join(
  list: [string | undefined, string][],
  [step, delta]: (string | undefined)[],
): [string | undefined, string][] {
  const last = list.at(-1);
  if (last !== undefined && last[0] === step) last[1] += delta ?? '';
  else list.push([step, delta ?? '']);
  return list;
}
