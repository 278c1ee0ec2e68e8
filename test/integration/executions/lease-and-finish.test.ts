import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { DomainEvent } from '../../../src/events/event.js';
import { CHANNEL, decodeEvents } from '../../../src/events/wire.js';
import { type Ending, finishExecutions } from '../../../src/executions/finish.js';
import { type Lease, type LeaseResult, takeLeases } from '../../../src/executions/lease.js';
import { newRandomUuid, newUuidV7 } from '../../../src/lib/ids.js';
import { asJsonText, toJsonText } from '../../../src/lib/json-text.js';
import { settleStep } from '../../../src/models/settle-step.js';
import { type ExecutionFixture, openExecutionFixture, signal } from '../../support/execution-fixture.js';

const SUCCEEDED: Ending = { status: 'SUCCEEDED', result: asJsonText('1') };
const FAILED: Ending = {
  status: 'FAILED',
  error: toJsonText({ code: 'WORKER_FAILED', message: 'no', retryable: false }),
};

/** More than fit into one payload. */
const CALLS = 70;

describe('leases and their ends', () => {
  let fixture: ExecutionFixture;

  beforeAll(async () => {
    fixture = await openExecutionFixture();
    await fixture.addWorker('worker-a', () => Promise.reject(new Error('not run here')));
  });

  afterAll(() => fixture.close());

  const addRunner = async (): Promise<string> => {
    const id = newUuidV7();
    await fixture.pool.query(
      "insert into runners (id, host, pid, queue_worker_ids) values ($1, 'elsewhere', 1, '{}')",
      [id],
    );
    return id;
  };
  const declareDead = (id: string): Promise<unknown> => fixture.pool.query('delete from runners where id = $1', [id]);
  const take = async (runnerId: string, ...ids: readonly string[]): Promise<readonly LeaseResult[]> =>
    takeLeases(
      fixture.pool,
      ids.map((executionId) => ({ executionId, runnerId, token: newRandomUuid() })),
    );
  const lease = async (runnerId: string, id: string): Promise<Lease> => {
    const [result] = await take(runnerId, id);
    if (result?.type !== 'leased') throw new Error(`not leased: ${result?.type}`);
    return result.lease;
  };
  const finish = (...ends: readonly (readonly [Lease, Ending])[]): ReturnType<typeof finishExecutions> =>
    finishExecutions(
      fixture.pool,
      0,
      ends.map(([held, ending]) => ({ lease: held, ending })),
    );
  const jobsOf = async (executionId: string): Promise<number> => {
    const { rows } = await fixture.pool.query<{ jobs: number }>(
      "select count(*)::integer as jobs from graphile_worker._private_jobs where payload->>'executionId' = $1",
      [executionId],
    );
    return rows[0]!.jobs;
  };

  it("adds what a worker reports of its own to what the model desk has counted, the webhook's numbers too", async () => {
    const runner = await addRunner();
    const ids = (await fixture.store(['worker-a', 'worker-a', 'worker-a'])).executionIds;
    const counted = async (): Promise<unknown> => {
      const { rows } = await fixture.pool.query(
        `select coalesce(sum(prompt_tokens), 0)::integer as prompt, coalesce(sum(completion_tokens), 0)::integer as completion
         from call_statistics where webhook_id = $1`,
        [fixture.webhookId],
      );
      return rows[0];
    };
    expect(await counted()).toEqual({ prompt: 0, completion: 0 });
    const [desk, both, most] = await Promise.all(ids.map((id) => lease(runner, id)));
    const step = { webhookId: fixture.webhookId, modelId: newUuidV7(), cachedTokens: 0, costNanos: 1n };
    for (const { executionId } of [desk!, both!]) {
      const tokens = { promptTokens: 100, completionTokens: 10 };
      await settleStep(fixture.pool, 0, { ...step, ...tokens, stepId: newUuidV7(), executionId });
    }
    await finish(
      [desk!, SUCCEEDED],
      [both!, { ...SUCCEEDED, promptTokens: 500, completionTokens: 50 }],
      [most!, { ...SUCCEEDED, promptTokens: 7 }],
    );
    const { rows } = await fixture.pool.query(
      'select prompt_tokens as prompt, completion_tokens as completion from executions where id = any($1::uuid[]) order by array_position($1::uuid[], id)',
      [ids],
    );
    expect(rows).toEqual([
      { prompt: 100, completion: 10 },
      { prompt: 600, completion: 60 },
      { prompt: 7, completion: null },
    ]);
    expect(await counted()).toEqual({ prompt: 707, completion: 70 });
  });

  it('gives an execution to one of two runners', async () => {
    const [first, second] = [await addRunner(), await addRunner()];
    const call = await fixture.store(['worker-a']);
    const id = call.executionIds[0]!;
    const results = await Promise.all([take(first, id), take(second, id)]);
    expect(new Set(results.map(([result]) => result?.type))).toEqual(new Set(['busy', 'leased']));
  });

  it('says of a terminal execution, and of one that is gone, that there is nothing to do', async () => {
    const runner = await addRunner();
    const call = await fixture.store(['worker-a']);
    const held = await lease(runner, call.executionIds[0]!);
    await finish([held, SUCCEEDED]);
    expect((await take(runner, held.executionId, newUuidV7())).map(({ type }) => type)).toEqual(['done', 'done']);
  });

  it('lets another runner take over only when the first one is dead, and refuses the zombie', async () => {
    const [first, second] = [await addRunner(), await addRunner()];
    const call = await fixture.store(['worker-a']);
    const id = call.executionIds[0]!;
    const zombie = await lease(first, id);
    expect((await take(second, id))[0]).toEqual({ type: 'busy' });
    await declareDead(first);
    const held = await lease(second, id);
    expect(held.attempt).toBe(2);
    expect(await finish([zombie, FAILED])).toEqual(['refused']);
    expect((await fixture.read(call.callId))[0]).toMatchObject({ status: 'RUNNING', error: null });
    expect(await finish([held, SUCCEEDED])).toEqual(['finished']);
    expect(await finish([zombie, FAILED], [held, FAILED])).toEqual(['refused', 'refused']);
    expect((await fixture.read(call.callId))[0]).toMatchObject({ status: 'SUCCEEDED', attempt: 2, result: '1' });
  });

  it('counts an attempt once when it is asked for again because the answer was lost', async () => {
    const runnerId = await addRunner();
    const call = await fixture.store(['worker-a']);
    const request = { executionId: call.executionIds[0]!, runnerId, token: newRandomUuid() };
    const unheard = (await takeLeases(fixture.pool, [request]))[0];
    expect(unheard).toMatchObject({ type: 'leased', lease: { attempt: 1, seq: 2 } });
    expect((await takeLeases(fixture.pool, [request]))[0]).toMatchObject({
      type: 'leased',
      lease: { token: request.token, attempt: 1, seq: 3 },
    });
  });

  it('takes over what the same runner does not know of any more', async () => {
    const runner = await addRunner();
    const call = await fixture.store(['worker-a']);
    const forgotten = await lease(runner, call.executionIds[0]!);
    const held = await lease(runner, call.executionIds[0]!);
    expect(held.token).not.toBe(forgotten.token);
    expect(await finish([forgotten, SUCCEEDED])).toEqual(['refused']);
  });

  it('keeps the worker’s version of the first attempt', async () => {
    const runner = await addRunner();
    await fixture.addWorker('worker-versions', () => Promise.reject(new Error('not run here')));
    const call = await fixture.store(['worker-versions']);
    const first = await lease(runner, call.executionIds[0]!);
    await finish([first, { status: 'WAITING', error: toJsonText({}), delayMs: 60_000 }]);
    await fixture.pool.query("update workers set current_version = 2 where id = 'worker-versions'");
    expect((await lease(runner, call.executionIds[0]!)).workerVersion).toBe(1);
  });

  it('ends several executions of one call in one batch', async () => {
    const runner = await addRunner();
    const call = await fixture.store(['worker-a', 'worker-a', 'worker-a']);
    const held = await Promise.all(call.executionIds.map((id) => lease(runner, id)));
    expect(await finish([held[2]!, SUCCEEDED], [held[0]!, SUCCEEDED], [held[1]!, SUCCEEDED])).toEqual([
      'finished',
      'finished',
      'finished',
    ]);
    const { rows } = await fixture.pool.query('select outcome, pending, failures from calls where id = $1', [
      call.callId,
    ]);
    expect(rows).toEqual([{ outcome: 'SUCCEEDED', pending: 0, failures: 0 }]);
  });

  it('ends one call from two processes at once, each knowing of the other’s failure', async () => {
    const runner = await addRunner();
    const call = await fixture.store(['worker-a', 'worker-a']);
    const [failing, succeeding] = await Promise.all(call.executionIds.map((id) => lease(runner, id)));
    // The first end holds the call's row, uncommitted, while the second one's statement has already begun.
    const first = await fixture.pool.connect();
    await first.query('begin');
    await finishExecutions(first as unknown as pg.Pool, 0, [{ lease: failing!, ending: FAILED }]);
    const { rows: own } = await first.query<{ pid: number }>('select pg_backend_pid() as pid');
    const second = finish([succeeding!, SUCCEEDED]);
    await untilBlockedBy(own[0]!.pid);
    await first.query('commit');
    first.release();
    expect(await second).toEqual(['finished']);
    const { rows } = await fixture.pool.query('select outcome, pending, failures from calls where id = $1', [
      call.callId,
    ]);
    expect(rows).toEqual([{ outcome: 'FAILED', pending: 0, failures: 1 }]);
  });

  /** Asks until some statement waits for a lock of this connection; PostgreSQL gives no signal for it. */
  async function untilBlockedBy(pid: number): Promise<void> {
    for (;;) {
      const { rows } = await fixture.database.pool.query<{ blocked: boolean }>(
        'select exists (select from pg_stat_activity where $1 = any(pg_blocking_pids(pid))) as blocked',
        [pid],
      );
      if (rows[0]!.blocked) return;
    }
  }

  it('gives an attempt back uncounted, with a job', async () => {
    const runner = await addRunner();
    const call = await fixture.store(['worker-a']);
    const held = await lease(runner, call.executionIds[0]!);
    await finish([held, { status: 'QUEUED', delayMs: 0 }]);
    expect((await fixture.read(call.callId))[0]).toMatchObject({ status: 'QUEUED', attempt: 0, error: null });
    expect(await jobsOf(held.executionId)).toBe(2); // the first one is still locked by whoever was running it
  });

  it('starts a sequence’s next job only when the one before succeeded', async () => {
    const runner = await addRunner();
    const call = await fixture.store(['worker-a', 'worker-a', 'worker-a'], { dispatch: 'SEQUENTIAL' });
    const jobs = (): Promise<number[]> => Promise.all(call.executionIds.map(jobsOf));
    expect(await jobs()).toEqual([1, 0, 0]);
    await finish([
      await lease(runner, call.executionIds[0]!),
      { status: 'WAITING', error: toJsonText({}), delayMs: 0 },
    ]);
    expect((await fixture.read(call.callId)).map(({ status }) => status)).toEqual(['WAITING', 'WAITING', 'WAITING']);
    expect(await jobs()).toEqual([2, 0, 0]);
    await finish([await lease(runner, call.executionIds[0]!), SUCCEEDED]);
    expect((await fixture.read(call.callId)).map(({ status }) => status)).toEqual(['SUCCEEDED', 'QUEUED', 'WAITING']);
    expect(await jobs()).toEqual([2, 1, 0]);
  });

  it('does not touch the executions of a neighbour in the same millisecond', async () => {
    const runner = await addRunner();
    const calls = await Promise.all(
      Array.from({ length: 20 }, () => fixture.store(['worker-a', 'worker-a'], { dispatch: 'SEQUENTIAL' })),
    );
    const held = await Promise.all(calls.map((call) => lease(runner, call.executionIds[0]!)));
    const again: Ending = { status: 'WAITING', error: toJsonText({}), delayMs: 60_000 };
    const endings = [SUCCEEDED, FAILED, again] as const;
    await finish(...held.map((one, i): [Lease, Ending] => [one, endings[i % 3]!]));
    const states = await Promise.all(
      calls.map(async (call) => (await fixture.read(call.callId)).map(({ status }) => status)),
    );
    const expected = [
      ['SUCCEEDED', 'QUEUED'],
      ['FAILED', 'SKIPPED'],
      ['WAITING', 'WAITING'],
    ];
    expect(states).toEqual(calls.map((_, i) => expected[i % 3]));
  });

  it('tells with the commit what changed, in payloads that others can read', async () => {
    const runner = await addRunner();
    const client = new pg.Client({ connectionString: fixture.url });
    await client.connect();
    const heard: DomainEvent[] = [];
    const payloads: string[] = [];
    const all = signal();
    client.on('notification', ({ payload }) => {
      payloads.push(payload!);
      heard.push(
        ...decodeEvents(payload!).filter(({ kind }) => kind === 'call-finished' || kind === 'execution-changed'),
      );
      if (heard.length === 3 * CALLS) all.give();
    });
    await client.query(`listen ${CHANNEL}`);
    const calls = await Promise.all(Array.from({ length: CALLS }, () => fixture.store(['worker-a'])));
    const results = await take(runner, ...calls.map((call) => call.executionIds[0]!));
    const held = results.map((result) => (result.type === 'leased' ? result.lease : undefined)!);
    await finish(...held.map((one): [Lease, Ending] => [one, SUCCEEDED]));
    await all.given;
    await client.end();
    const { webhookId } = fixture;
    for (const { callId, executionIds } of calls) {
      const changed = { kind: 'execution-changed', executionId: executionIds[0], callId, webhookId };
      expect(heard.filter((event) => 'callId' in event && event.callId === callId)).toEqual([
        { ...changed, seq: 2 },
        { ...changed, seq: 3 },
        { kind: 'call-finished', callId, webhookId },
      ]);
    }
    expect(Math.max(...payloads.map((payload) => payload.length))).toBeLessThan(7_900);
  });
});
