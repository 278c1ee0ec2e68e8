import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AppError } from '../../../src/errors.js';
import { readExecutionEvents } from '../../../src/executions/read-events.js';
import { asJsonText, toJsonText } from '../../../src/lib/json-text.js';
import { type ExecutionFixture, openExecutionFixture } from '../../support/execution-fixture.js';

const passing = (): AppError => new AppError('WORKER_FAILED', 'not yet', { retryable: true, retryAfterMs: 0 });

describe('a runner', () => {
  let fixture: ExecutionFixture;

  beforeAll(async () => {
    fixture = await openExecutionFixture();
    await fixture.addWorker('worker-echo', (run) => Promise.resolve({ result: run.inputText }));
    await fixture.addWorker('worker-second', (run) =>
      run.attempt < 2 ? Promise.reject(passing()) : Promise.resolve({ result: toJsonText(run.attempt) }),
    );
    await fixture.addWorker('worker-never', () => Promise.reject(passing()), { attemptsMax: 2 });
    await fixture.addWorker('worker-permanent', () => Promise.reject(new AppError('WORKER_FAILED', 'no use')));
    await fixture.addWorker('worker-foreign', () => Promise.reject(new TypeError('x is not a function')), {
      attemptsMax: 1,
    });
    await fixture.addWorker('worker-deaf', () => new Promise(() => undefined), { attemptsMax: 1, timeoutMs: 20 });
    await fixture.addWorker('worker-counts', (run) =>
      Promise.resolve({ result: toJsonText(run.attempt), promptTokens: 10, completionTokens: 3 }),
    );
    await fixture.addWorker('worker-garbage', () => Promise.resolve({ result: asJsonText('{"broken') }));
    await fixture.startRunner();
  });

  afterAll(() => fixture.close());

  const events = async (executionId: string): Promise<unknown[]> =>
    (await readExecutionEvents(fixture.database.pool, executionId, 0, 100)).map(({ seq, kind, data }) => [
      seq,
      kind,
      JSON.parse(data),
    ]);

  const callRow = async (callId: string): Promise<Record<string, unknown>> => {
    const { rows } = await fixture.database.pool.query<Record<string, unknown>>(
      `select outcome, pending, failures, finished_at is not null as finished, duration_ms >= 0 as timed
       from calls where id = $1`,
      [callId],
    );
    return rows[0]!;
  };

  it('runs an execution to its result, with every event', async () => {
    const call = await fixture.store(['worker-echo'], { body: '{"a": 12345678901234567890}' });
    const [execution] = await fixture.end(call.callId);
    expect(execution).toMatchObject({
      id: call.executionIds[0],
      status: 'SUCCEEDED',
      attempt: 1,
      workerVersion: 1,
      result: '{"a": 12345678901234567890}',
      error: null,
      lastEventSeq: 3,
      cancelRequestedAt: null,
      retryOf: null,
      retriedBy: null,
    });
    expect(await events(call.executionIds[0]!)).toEqual([
      [1, 'status', { status: 'QUEUED', attempt: 0 }],
      [2, 'status', { status: 'RUNNING', attempt: 1 }],
      [3, 'status', { status: 'SUCCEEDED', attempt: 1 }],
    ]);
    expect(await callRow(call.callId)).toEqual({
      outcome: 'SUCCEEDED',
      pending: 0,
      failures: 0,
      finished: true,
      timed: true,
    });
  });

  it('keeps what JSON can say and PostgreSQL’s text cannot', async () => {
    const body = String.raw`{"nul":"\u0000","half":"\ud800","big":1e999}`;
    const call = await fixture.store(['worker-echo'], { body });
    const [execution] = await fixture.end(call.callId);
    expect(execution?.result).toBe(body);
  });

  it('runs a failed attempt again', async () => {
    const call = await fixture.store(['worker-second']);
    const [execution] = await fixture.end(call.callId);
    expect(execution).toMatchObject({ status: 'SUCCEEDED', attempt: 2, result: '2', error: null });
    expect((await events(call.executionIds[0]!)).slice(1)).toEqual([
      [2, 'status', { status: 'RUNNING', attempt: 1 }],
      [3, 'status', { status: 'WAITING', attempt: 1 }],
      [4, 'status', { status: 'RUNNING', attempt: 2 }],
      [5, 'status', { status: 'SUCCEEDED', attempt: 2 }],
    ]);
  });

  it('fails when the attempts are used up', async () => {
    const call = await fixture.store(['worker-never']);
    const [execution] = await fixture.end(call.callId);
    expect(execution).toMatchObject({
      status: 'FAILED',
      attempt: 2,
      result: null,
      error: { code: 'WORKER_FAILED', message: 'not yet', retryable: true },
    });
    expect(await callRow(call.callId)).toMatchObject({ outcome: 'FAILED', pending: 0, failures: 1 });
  });

  it('does not try a permanent error again', async () => {
    const call = await fixture.store(['worker-permanent']);
    const [execution] = await fixture.end(call.callId);
    expect(execution).toMatchObject({ status: 'FAILED', attempt: 1, error: { message: 'no use', retryable: false } });
  });

  it('takes any error for one of the worker', async () => {
    const call = await fixture.store(['worker-foreign']);
    const [execution] = await fixture.end(call.callId);
    expect(execution).toMatchObject({
      status: 'FAILED',
      error: { code: 'WORKER_FAILED', message: 'x is not a function' },
    });
  });

  it('ends a worker that does not listen to its signal', async () => {
    const call = await fixture.store(['worker-deaf']);
    const [execution] = await fixture.end(call.callId);
    expect(execution).toMatchObject({ status: 'TIMED_OUT', error: { code: 'WORKER_TIMED_OUT' } });
  });

  it('fails an execution whose worker is unknown', async () => {
    const call = await fixture.store(['worker-missing']);
    const [execution] = await fixture.end(call.callId);
    expect(execution).toMatchObject({ status: 'FAILED', workerVersion: null, error: { retryable: false } });
  });

  it('fails a result that cannot be stored, and no other one with it', async () => {
    const calls = await Promise.all([fixture.store(['worker-garbage']), fixture.store(['worker-echo'])]);
    const [garbage, good] = await Promise.all(calls.map((call) => fixture.end(call.callId)));
    expect(garbage![0]).toMatchObject({ status: 'FAILED', result: null, error: { code: 'WORKER_OUTPUT_INVALID' } });
    expect(good![0]).toMatchObject({ status: 'SUCCEEDED' });
  });

  it('runs parallel workers, each to its own end, and counts the call once', async () => {
    const call = await fixture.store(['worker-echo', 'worker-permanent', 'worker-second', 'worker-echo']);
    const executions = await fixture.end(call.callId);
    expect(executions.map(({ status, position }) => [position, status])).toEqual([
      [0, 'SUCCEEDED'],
      [1, 'FAILED'],
      [2, 'SUCCEEDED'],
      [3, 'SUCCEEDED'],
    ]);
    expect(await callRow(call.callId)).toMatchObject({ outcome: 'FAILED', pending: 0, failures: 1 });
  });

  it('runs a sequence in its order', async () => {
    const started: string[] = [];
    await fixture.addWorker('worker-in-order', (run) => {
      started.push(run.executionId);
      return Promise.resolve({ result: toJsonText(started.length) });
    });
    const call = await fixture.store(['worker-in-order', 'worker-in-order', 'worker-in-order'], {
      dispatch: 'SEQUENTIAL',
    });
    const executions = await fixture.end(call.callId);
    expect(executions.map(({ status, result }) => [status, result])).toEqual([
      ['SUCCEEDED', '1'],
      ['SUCCEEDED', '2'],
      ['SUCCEEDED', '3'],
    ]);
    expect(await events(call.executionIds[1]!)).toEqual([
      [1, 'status', { status: 'WAITING', attempt: 0 }],
      [2, 'status', { status: 'QUEUED', attempt: 0 }],
      [3, 'status', { status: 'RUNNING', attempt: 1 }],
      [4, 'status', { status: 'SUCCEEDED', attempt: 1 }],
    ]);
    expect(await callRow(call.callId)).toMatchObject({ outcome: 'SUCCEEDED', pending: 0 });
  });

  it('skips the rest of a sequence when one fails', async () => {
    const call = await fixture.store(['worker-echo', 'worker-permanent', 'worker-echo', 'worker-echo'], {
      dispatch: 'SEQUENTIAL',
    });
    const executions = await fixture.end(call.callId);
    expect(executions.map(({ status, attempt }) => [status, attempt])).toEqual([
      ['SUCCEEDED', 1],
      ['FAILED', 1],
      ['SKIPPED', 0],
      ['SKIPPED', 0],
    ]);
    expect(executions.every(({ finishedAt }) => finishedAt !== null)).toBe(true);
    expect(await events(call.executionIds[3]!)).toEqual([
      [1, 'status', { status: 'WAITING', attempt: 0 }],
      [2, 'status', { status: 'SKIPPED', attempt: 0 }],
    ]);
    expect(await callRow(call.callId)).toMatchObject({ outcome: 'FAILED', pending: 0, failures: 3 });
  });

  it('counts calls by outcome and the tokens of all their executions', async () => {
    const counters = async (): Promise<Record<string, number>> => {
      const { rows } = await fixture.database.pool.query<{
        outcome: string;
        calls: number;
        prompt: number;
        completion: number;
      }>(
        `select outcome, sum(calls)::integer as calls, sum(prompt_tokens)::integer as prompt,
           sum(completion_tokens)::integer as completion
         from call_statistics where webhook_id = $1 group by outcome`,
        [fixture.webhookId],
      );
      const of = (outcome: string): number => rows.find((row) => row.outcome === outcome)?.calls ?? 0;
      const sum = (key: 'prompt' | 'completion'): number => rows.reduce((total, row) => total + row[key], 0);
      return {
        accepted: of('ACCEPTED'),
        succeeded: of('SUCCEEDED'),
        failed: of('FAILED'),
        prompt: sum('prompt'),
        completion: sum('completion'),
      };
    };
    const before = await counters();
    const calls = [
      await fixture.store(['worker-counts', 'worker-counts']),
      await fixture.store(['worker-counts', 'worker-permanent', 'worker-counts'], { dispatch: 'SEQUENTIAL' }),
    ];
    await Promise.all(calls.map((call) => fixture.end(call.callId)));
    const after = await counters();
    expect(Object.fromEntries(Object.entries(after).map(([key, n]) => [key, n - before[key]!]))).toEqual({
      accepted: 2,
      succeeded: 1,
      failed: 1,
      prompt: 30,
      completion: 9,
    });
  });
});
