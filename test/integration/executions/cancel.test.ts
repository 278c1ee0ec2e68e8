import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Principal } from '../../../src/access/principal.js';
import { cancelExecution } from '../../../src/executions/cancel.js';
import { Cancellations } from '../../../src/executions/cancellations.js';
import { finishExecutions } from '../../../src/executions/finish.js';
import { takeLeases } from '../../../src/executions/lease.js';
import { topics } from '../../../src/events/event.js';
import { EventHub } from '../../../src/events/event-hub.js';
import { newRandomUuid, newUuidV7 } from '../../../src/lib/ids.js';
import { asJsonText, toJsonText } from '../../../src/lib/json-text.js';
import { createLogger } from '../../../src/lib/logger.js';
import { type ExecutionFixture, openExecutionFixture, signal } from '../../support/execution-fixture.js';

let fixture: ExecutionFixture;
let operator: Principal;

beforeAll(async () => {
  fixture = await openExecutionFixture();
  await fixture.addWorker('worker-a', () => Promise.resolve({ result: asJsonText('1') }));
  const { rows } = await fixture.pool.query<{ id: string }>('select id from users');
  operator = { userId: rows[0]!.id, role: 'operator', credential: { type: 'api-token', id: newUuidV7() }, scopes: [] };
});

afterAll(() => fixture.close());

const cancel = (id: string) => cancelExecution(fixture.database.pool, operator, { id });

const callOf = async (callId: string): Promise<unknown> =>
  (await fixture.pool.query('select outcome, pending, failures, http_status from calls where id = $1', [callId]))
    .rows[0];

/** Ends that were counted, by outcome, whatever their time. */
const counted = async (): Promise<Record<string, number>> => {
  const { rows } = await fixture.pool.query<{ outcome: string; n: number }>(
    'select outcome, sum(calls)::integer as n from call_statistics group by outcome',
  );
  return Object.fromEntries(rows.map(({ outcome, n }) => [outcome, n]));
};

const statuses = async (callId: string): Promise<string[]> => (await fixture.read(callId)).map(({ status }) => status);

const endsOf = async (executionId: string): Promise<number> => {
  const { rows } = await fixture.pool.query<{ n: number }>(
    `select count(*)::integer as n from execution_events
     where execution_id = $1 and data->>'status' in ('SUCCEEDED', 'FAILED', 'CANCELED', 'TIMED_OUT', 'SKIPPED')`,
    [executionId],
  );
  return rows[0]!.n;
};

const addRunner = async (): Promise<string> => {
  const id = newUuidV7();
  await fixture.pool.query("insert into runners (id, host, pid, queue_worker_ids) values ($1, 'elsewhere', 1, '{}')", [
    id,
  ]);
  return id;
};

const lease = async (executionId: string, runnerId: string) => {
  const [taken] = await takeLeases(fixture.pool, [{ executionId, runnerId, token: newRandomUuid() }]);
  if (taken?.type !== 'leased') throw new Error(`not leased: ${taken?.type}`);
  return taken.lease;
};

describe('canceling an execution that waits', () => {
  it('ends it at once, and its call, counted once, audited', async () => {
    const before = await counted();
    const { callId, executionIds } = await fixture.store(['worker-a']);
    expect(await cancel(executionIds[0]!)).toEqual({ ok: true, value: 'canceled' });
    expect((await fixture.read(callId))[0]).toMatchObject({
      status: 'CANCELED',
      attempt: 0,
      error: { code: 'CANCELED', retryable: false },
    });
    expect(await callOf(callId)).toEqual({ outcome: 'FAILED', pending: 0, failures: 1, http_status: 202 });
    expect(await endsOf(executionIds[0]!)).toBe(1);
    expect((await counted())['FAILED'] ?? 0).toBe((before['FAILED'] ?? 0) + 1);
    const { rows } = await fixture.pool.query('select action from audit_events order by seq desc limit 1');
    expect(rows).toEqual([{ action: 'execution.canceled' }]);
    expect(await cancel(executionIds[0]!)).toMatchObject({ ok: false, userErrors: [{ code: 'ALREADY_ENDED' }] });
    expect(await endsOf(executionIds[0]!)).toBe(1);
  });

  it('skips the rest of a sequence', async () => {
    const { callId, executionIds } = await fixture.store(['worker-a', 'worker-a', 'worker-a'], {
      dispatch: 'SEQUENTIAL',
    });
    expect(await cancel(executionIds[0]!)).toEqual({ ok: true, value: 'canceled' });
    expect(await statuses(callId)).toEqual(['CANCELED', 'SKIPPED', 'SKIPPED']);
    expect(await callOf(callId)).toMatchObject({ outcome: 'FAILED', pending: 0, failures: 3 });
  });

  it('in the middle of a sequence lets the one before it end well, and the call with it', async () => {
    const { callId, executionIds } = await fixture.store(['worker-a', 'worker-a', 'worker-a'], {
      dispatch: 'SEQUENTIAL',
    });
    const held = await lease(executionIds[0]!, await addRunner());
    expect(await cancel(executionIds[1]!)).toEqual({ ok: true, value: 'canceled' });
    expect(await callOf(callId)).toMatchObject({ outcome: 'ACCEPTED', pending: 1 });
    await finishExecutions(fixture.pool, 0, [
      { lease: held, ending: { status: 'SUCCEEDED', result: asJsonText('1') } },
    ]);
    expect(await statuses(callId)).toEqual(['SUCCEEDED', 'CANCELED', 'SKIPPED']);
    expect(await callOf(callId)).toMatchObject({ outcome: 'FAILED', pending: 0, failures: 2 });
  });

  it('takes a call that waits for its turn out of the queue', async () => {
    const flow = { lane: Buffer.alloc(0), debounced: false };
    const { callId, executionIds } = await fixture.store(['worker-a'], { flow });
    expect(await statuses(callId)).toEqual(['WAITING']);
    expect(await cancel(executionIds[0]!)).toEqual({ ok: true, value: 'canceled' });
    expect(await callOf(callId)).toMatchObject({ outcome: 'FAILED', pending: 0 });
    const { rows } = await fixture.pool.query('select state from flow_calls where call_id = $1', [callId]);
    expect(rows).toEqual([{ state: 'ENDED' }]);
  });

  it('leaves a job that finds nothing to do', async () => {
    const { callId, executionIds } = await fixture.store(['worker-a']);
    await cancel(executionIds[0]!);
    const other = await fixture.store(['worker-a']);
    const runner = await fixture.startRunner();
    await fixture.end(other.callId);
    await runner.stop(0);
    expect((await fixture.read(callId))[0]).toMatchObject({ status: 'CANCELED', attempt: 0 });
  });

  it('is refused without the permission, and NOT_FOUND for what is none', async () => {
    const { callId, executionIds } = await fixture.store(['worker-gone']);
    await expect(
      cancelExecution(fixture.database.pool, { ...operator, role: 'viewer' }, { id: executionIds[0]! }),
    ).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(cancel(newUuidV7())).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(callId).toBeDefined();
  });
});

describe('canceling an execution that runs', () => {
  it('aborts the worker’s own signal, and ends it as CANCELED', async () => {
    const [started, aborted] = [signal(), Promise.withResolvers<unknown>()];
    await fixture.addWorker('worker-hangs', async (run) => {
      run.signal.addEventListener('abort', () => aborted.resolve(run.signal.reason));
      started.give();
      return await new Promise(() => undefined); // it does not listen, and does not hold its slot either
    });
    const runner = await fixture.startRunner();
    const { callId, executionIds } = await fixture.store(['worker-hangs']);
    await started.given;
    expect(await cancel(executionIds[0]!)).toEqual({ ok: true, value: 'requested' });
    expect(await aborted.promise).toMatchObject({ code: 'CANCELED' });
    const [execution] = await fixture.end(callId);
    expect(execution).toMatchObject({ status: 'CANCELED', attempt: 1, error: { code: 'CANCELED' } });
    expect(await endsOf(executionIds[0]!)).toBe(1);
    expect(await callOf(callId)).toMatchObject({ outcome: 'FAILED', pending: 0 });
    await runner.stop(0);
  });

  it('ends it at once, too, when that is asked for before its runner has heard that it has the lease', async () => {
    const { callId, executionIds } = await fixture.store(['worker-a']);
    const id = executionIds[0]!;
    let ran = false;
    fixture.changeWorker('worker-a', () => {
      ran = true;
      return Promise.resolve({ result: asJsonText('1') });
    });
    const heard = signal();
    const stop = fixture.hub.listen([topics.cancellations], () => heard.give());
    const take = fixture.leases.take.bind(fixture.leases);
    fixture.leases.take = async (request, runnerSignal) => {
      const taken = await take(request, runnerSignal);
      await cancel(id);
      await heard.given; // the event has come, and comes only once
      return taken;
    };
    const runner = await fixture.startRunner();
    const [execution] = await fixture.end(callId);
    fixture.leases.take = take;
    stop();
    await runner.stop(0);
    expect(execution).toMatchObject({ status: 'CANCELED', attempt: 1, error: { code: 'CANCELED' } });
    expect(ran).toBe(false);
    fixture.changeWorker('worker-a', () => Promise.resolve({ result: asJsonText('1') }));
  });

  it('is noticed at the next heartbeat when the event was lost', async () => {
    const { executionIds } = await fixture.store(['worker-a']);
    await lease(executionIds[0]!, await addRunner());
    const cancellations = new Cancellations({
      pool: fixture.pool,
      hub: new EventHub(), // hears nothing
      shard: 0,
      log: createLogger('silent'),
    });
    const started = signal();
    const attempt = cancellations.during(
      executionIds[0]!,
      new AbortController().signal,
      (signalOfRun) =>
        new Promise((_, reject) => {
          signalOfRun.addEventListener('abort', () => reject(signalOfRun.reason as Error));
          started.give();
        }),
    );
    await started.given;
    await cancel(executionIds[0]!);
    const ended = attempt.catch((error: unknown) => error);
    await cancellations.check();
    expect(await ended).toMatchObject({ code: 'CANCELED' });
    cancellations.close();
  });

  it('of a dead runner is taken over to be ended, not to be run again', async () => {
    const dead = await addRunner();
    const { callId, executionIds } = await fixture.store(['worker-a']);
    await lease(executionIds[0]!, dead);
    await cancel(executionIds[0]!);
    await fixture.pool.query('delete from runners where id = $1', [dead]);
    const held = await lease(executionIds[0]!, await addRunner());
    expect(held.cancelRequested).toBe(true);
    await fixture.pool.query('delete from runners');
    let ran = false;
    fixture.changeWorker('worker-a', () => {
      ran = true;
      return Promise.resolve({ result: asJsonText('1') });
    });
    const runner = await fixture.startRunner();
    const [execution] = await fixture.end(callId);
    await runner.stop(0);
    expect(execution).toMatchObject({ status: 'CANCELED', error: { code: 'CANCELED' } });
    expect(ran).toBe(false);
    fixture.changeWorker('worker-a', () => Promise.resolve({ result: asJsonText('1') }));
  });

  it('whose attempt was over a moment before does not wait for the next attempt', async () => {
    const { callId, executionIds } = await fixture.store(['worker-a']);
    const held = await lease(executionIds[0]!, await addRunner());
    await cancel(executionIds[0]!);
    await finishExecutions(fixture.pool, 0, [
      { lease: held, ending: { status: 'WAITING', error: toJsonText({}), delayMs: 3_600_000 } },
    ]);
    expect(await statuses(callId)).toEqual(['WAITING']);
    const cancellations = new Cancellations({
      pool: fixture.pool,
      hub: new EventHub(),
      shard: 0,
      log: createLogger('silent'),
    });
    await cancellations.cancelIfRequested(executionIds[0]!);
    cancellations.close();
    expect(await statuses(callId)).toEqual(['CANCELED']);
    expect(await callOf(callId)).toMatchObject({ outcome: 'FAILED', pending: 0 });
  });

  it('and ends at that moment ends once, one way or the other', async () => {
    const runnerId = await addRunner();
    const outcomes = new Set<string>();
    for (let n = 0; n < 30; n += 1) {
      const { callId, executionIds } = await fixture.store(['worker-a', 'worker-a'], { dispatch: 'SEQUENTIAL' });
      const id = executionIds[0]!;
      // Both at once: while it is still queued, and while it runs.
      if (n % 2 === 0) {
        const held = await lease(id, runnerId);
        const ending = { status: 'SUCCEEDED', result: asJsonText('1') } as const;
        const [result] = await Promise.all([finishExecutions(fixture.pool, 0, [{ lease: held, ending }]), cancel(id)]);
        expect(result).toEqual(['finished']);
      } else {
        await Promise.all([lease(id, runnerId).catch(() => undefined), cancel(id)]);
      }
      const [first] = await fixture.read(callId);
      outcomes.add(first!.status);
      expect(await endsOf(id)).toBe(first!.status === 'RUNNING' ? 0 : 1);
      const call = (await callOf(callId)) as { pending: number; failures: number };
      const [, second] = await statuses(callId);
      if (first!.status === 'CANCELED') expect([call.pending, second]).toEqual([0, 'SKIPPED']);
      if (first!.status === 'SUCCEEDED') expect([call.pending, second]).toEqual([1, 'QUEUED']);
    }
    expect(outcomes.has('SUCCEEDED')).toBe(true);
  });
});
