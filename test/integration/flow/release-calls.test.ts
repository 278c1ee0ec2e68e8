import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { AppError } from '../../../src/errors.js';
import { readExecutionEvents } from '../../../src/executions/read-events.js';
import { FlowDesk } from '../../../src/flow/flow-desk.js';
import { releaseCalls } from '../../../src/flow/release-calls.js';
import { readFlowCounts } from '../../../src/flow/queue-positions.js';
import { systemClock } from '../../../src/lib/clock.js';
import { createLogger } from '../../../src/lib/logger.js';
import { toJsonText } from '../../../src/lib/json-text.js';
import type { QueueRunner } from '../../../src/queue/runner.js';
import { waitForBlockedSessions } from '../../support/blocked-sessions.js';
import {
  type ExecutionFixture,
  openExecutionFixture,
  signal,
  type StoredCall,
  type StoreOptions,
} from '../../support/execution-fixture.js';

interface Settings {
  readonly concurrency?: number;
  readonly quietMs?: number;
  readonly delayMsMax?: number;
  readonly paused?: boolean;
  readonly deleted?: boolean;
}

const NO_LANE = Buffer.alloc(0);
const lane = (key: string): Buffer => Buffer.from(key);
const HOUR_MS = 3_600_000;

describe('flow control', () => {
  let fixture: ExecutionFixture;
  const runners: QueueRunner[] = [];
  /** What the workers did: `start` and `end` of their call's number. */
  let log: string[] = [];
  let inFlight = 0;
  let inFlightMax = 0;
  /** A worker ends when this does. */
  let gate: (n: number) => Promise<void> = () => Promise.resolve();

  beforeAll(async () => {
    fixture = await openExecutionFixture();
    await fixture.addWorker('worker-a', async (run) => {
      const { n } = run.inputParams as { n: number };
      log.push(`start ${n}`);
      inFlight += 1;
      inFlightMax = Math.max(inFlightMax, inFlight);
      await gate(n);
      inFlight -= 1;
      log.push(`end ${n}`);
      return { result: toJsonText(n) };
    });
  });

  afterEach(async () => {
    gate = () => Promise.resolve();
    for (const runner of runners.splice(0)) await runner.stop(0);
    await configure({});
    await fixture.database.pool.query('delete from flow_calls');
    await fixture.database.pool.query('delete from graphile_worker._private_jobs');
    log = [];
    inFlight = inFlightMax = 0;
  });

  afterAll(() => fixture.close());

  const sql = <Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> =>
    fixture.database.pool.query<Row>(text, values).then(({ rows }) => rows);
  const configure = (settings: Settings): Promise<unknown> =>
    sql(
      `update webhooks set flow_concurrency = $2, flow_debounce_ms = $3, flow_debounce_max_ms = $4, paused = $5,
         deleted_at = case when $6 then now() end where id = $1`,
      [
        fixture.webhookId,
        settings.concurrency ?? null,
        settings.quietMs ?? null,
        settings.delayMsMax ?? null,
        settings.paused ?? false,
        settings.deleted ?? false,
      ],
    );
  /** Accepts a call; a crash between the accept and the release is an accept alone. */
  const accept = (n: number, options: StoreOptions = {}): Promise<StoredCall> =>
    fixture.store(['worker-a'], { body: `{"n":${n}}`, flow: { lane: NO_LANE, debounced: false }, ...options });
  const enter = async (
    n: number,
    options: StoreOptions = {},
  ): Promise<StoredCall & { position: number | undefined }> => {
    const call = await accept(n, options);
    const position = await fixture.flow.enter({ webhookId: fixture.webhookId, callId: call.callId });
    return { ...call, position };
  };
  const inLane = (key: string, debounced = false): StoreOptions => ({ flow: { lane: lane(key), debounced } });
  const start = async (concurrency = 8): Promise<void> => void runners.push(await fixture.startRunner(concurrency));
  const statusOf = async (call: StoredCall): Promise<(string | undefined)[]> =>
    (await fixture.read(call.callId)).map(({ status }) => status);
  const endAll = (calls: readonly StoredCall[]): Promise<unknown> =>
    Promise.all(calls.map((c) => fixture.end(c.callId)));
  const counts = async (): Promise<object | undefined> =>
    (await readFlowCounts(fixture.database.pool, [fixture.webhookId])).get(fixture.webhookId);
  /** As many at once as the pool has connections for. */
  const byMany = async <Result>(n: number, one: (n: number) => Promise<Result>): Promise<Result[]> => {
    const results: Result[] = [];
    for (let from = 0; from < n; from += 20) {
      results.push(...(await Promise.all(numbers(Math.min(20, n - from)).map((i) => one(from + i)))));
    }
    return results;
  };
  const numbers = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

  describe('concurrency', () => {
    it('is reached and never exceeded, with several runners and desks at work', async () => {
      await configure({ concurrency: 3 });
      const full = signal();
      gate = async () => {
        if (inFlight === 3) full.give();
        await full.given; // so that the first three are in progress at once
        await new Promise((resolve) => setImmediate(resolve));
      };
      const others = numbers(3).map(
        () =>
          new FlowDesk({
            pool: fixture.database.pool,
            hub: fixture.hub,
            shard: 4,
            clock: systemClock,
            log: createLogger('silent'),
          }),
      );
      await Promise.all([start(), start()]);
      const calls = await Promise.all(
        numbers(60).map(async (n) => {
          const call = await accept(n);
          await others[n % 3]!.enter({ webhookId: fixture.webhookId, callId: call.callId });
          return call;
        }),
      );
      await endAll(calls);
      await Promise.all(others.map((desk) => desk.close()));
      expect(inFlightMax).toBe(3);
      expect(log.filter((line) => line.startsWith('end'))).toHaveLength(60);
    });

    it('is counted by one release after the other: one that comes meanwhile sees what the first one did', async () => {
      await configure({ concurrency: 1, paused: true });
      const [first, second] = [await enter(1), await enter(2)];
      await configure({ concurrency: 1 });
      const other = await fixture.database.pool.connect();
      await other.query('begin');
      await other.query('select from webhooks where id = $1 for no key update', [fixture.webhookId]);
      await other.query("update flow_calls set state = 'RUNNING' where call_id = $1", [second.callId]);
      const released = fixture.flow.enter({ webhookId: fixture.webhookId, callId: first.callId });
      await waitForBlockedSessions(fixture.database.pool, 1);
      await other.query('commit');
      other.release();
      await released;
      await fixture.flow.sweep();
      expect(await counts()).toEqual({ waiting: 1, running: 1 });
      expect(await statusOf(first)).toEqual(['WAITING']);
    });

    it('lets the others wait in the order of their acceptance, without a job', async () => {
      await configure({ concurrency: 2 });
      const positions: (number | undefined)[] = [];
      for (const n of numbers(5)) positions.push((await enter(n)).position);
      expect(positions).toEqual([0, 0, 1, 2, 3]);
      expect(await sql('select 1 from graphile_worker._private_jobs')).toHaveLength(2);
      expect(await counts()).toEqual({ waiting: 3, running: 2 });
    });

    it('counts calls, not executions: a sequence of workers is one', async () => {
      await configure({ concurrency: 1 });
      await fixture.addWorker('worker-b', (run) => {
        log.push(`then ${(run.inputParams as { n: number }).n}`);
        return Promise.resolve({ result: toJsonText(null) });
      });
      const sequence = (n: number): Promise<StoredCall> =>
        fixture.store(['worker-a', 'worker-b'], {
          body: `{"n":${n}}`,
          dispatch: 'SEQUENTIAL',
          flow: { lane: NO_LANE, debounced: false },
        });
      const calls = [await sequence(1), await sequence(2)];
      fixture.flow.release([fixture.webhookId]);
      await start();
      await endAll(calls);
      expect(log).toEqual(['start 1', 'end 1', 'then 1', 'start 2', 'end 2', 'then 2']);
    });

    it('takes a change while calls wait: a wider limit at once, a narrower one for those that wait', async () => {
      await configure({ concurrency: 1 });
      for (const n of numbers(6)) await enter(n);
      await configure({ concurrency: 3 });
      await fixture.flow.sweep();
      expect(await counts()).toEqual({ waiting: 3, running: 3 });
      await configure({ concurrency: 2 });
      await fixture.flow.sweep();
      expect(await counts()).toEqual({ waiting: 3, running: 3 });
      await configure({});
      await fixture.flow.sweep();
      expect(await counts()).toEqual({ waiting: 0, running: 6 });
    });
  });

  describe('a lane', () => {
    it('runs its calls strictly one after the other, through their retries, while others go on', async () => {
      await fixture.addWorker('worker-again', (run) => {
        const { n } = run.inputParams as { n: number };
        log.push(`try ${n}`);
        if (run.attempt === 1 && n < 3)
          return Promise.reject(new AppError('WORKER_FAILED', 'again', { retryable: true }));
        return Promise.resolve({ result: toJsonText(n) });
      });
      const again = async (n: number, key: string): Promise<StoredCall> => {
        const call = await fixture.store(['worker-again'], {
          body: `{"n":${n}}`,
          flow: { lane: lane(key), debounced: false },
        });
        await fixture.flow.enter({ webhookId: fixture.webhookId, callId: call.callId });
        return call;
      };
      const calls = [await again(1, 'x'), await again(2, 'x'), await again(3, 'x'), await again(4, 'y')];
      await start();
      await endAll(calls);
      expect(log.filter((line) => line !== 'try 4')).toEqual(['try 1', 'try 1', 'try 2', 'try 2', 'try 3']);
      expect(log.indexOf('try 4')).toBeLessThan(log.lastIndexOf('try 1')); // while the first one waited to be tried again
    });

    it('holds what is behind a call that is between two attempts', async () => {
      const first = await enter(1, inLane('x'));
      const second = await enter(2, inLane('x'));
      await fixture.database.pool.query("update executions set status = 'WAITING', attempt = 1 where id = $1", [
        first.executionIds[0],
      ]);
      await fixture.flow.sweep();
      expect(await statusOf(second)).toEqual(['WAITING']);
      expect([first.position, second.position]).toEqual([0, 1]);
    });

    it('takes a thousand calls, accepted by many at once, in the order in which they were accepted', async () => {
      const accepted = await byMany(1_000, (n) => enter(n, inLane('x')));
      const order = await sql<{ id: string }>('select call_id as id from flow_calls order by state desc, seq');
      const numberOf = new Map(accepted.map(({ callId }, i) => [callId, i + 1]));
      await start(30);
      for (const call of accepted) await fixture.end(call.callId);
      const started = log.filter((line) => line.startsWith('start')).map((line) => Number(line.slice(6)));
      expect(inFlightMax).toBe(1);
      expect(started).toHaveLength(1_000);
      expect(started).toEqual(order.map(({ id }) => numberOf.get(id)));
    }, 180_000);

    it('is of no concern to a call without one', async () => {
      await enter(1, inLane('x'));
      expect((await enter(2, inLane('x'))).position).toBe(1);
      expect((await enter(3)).position).toBe(0);
      expect((await enter(4)).position).toBe(0);
    });

    it('takes its turn among all lanes under a limit', async () => {
      await configure({ concurrency: 1 });
      const calls = [];
      for (const [n, key] of ['x', 'x', 'y', 'x', 'z'].entries()) calls.push(await enter(n + 1, inLane(key)));
      // The calls behind the head of their lane count what is before them there, heads what is before them in the webhook.
      expect(calls.map(({ position }) => position)).toEqual([0, 1, 1, 2, 2]);
      await start();
      await endAll(calls);
      expect(inFlightMax).toBe(1);
      const started = log.filter((line) => line.startsWith('start')).map((line) => Number(line.slice(6)));
      expect(started.filter((n) => [1, 2, 4].includes(n))).toEqual([1, 2, 4]);
      expect(started).toHaveLength(5);
    });
  });

  describe('debounce', () => {
    const debounced: StoreOptions = { flow: { lane: NO_LANE, debounced: true } };

    it('lets no call slip past that is stored while a release looks', async () => {
      await configure({ quietMs: HOUR_MS });
      let late: StoredCall | undefined;
      const connect = async (): Promise<unknown> => {
        const client = await fixture.pool.connect();
        const query = async (statement: unknown): Promise<unknown> => {
          if ((statement as { name?: string }).name === 'release-calls' && late === undefined) {
            late = await fixture.store(['worker-a'], { body: '{"n":1}', ...debounced });
          }
          return await client.query(statement as string);
        };
        return { query, release: (broken: boolean) => client.release(broken) };
      };
      await releaseCalls({ connect } as unknown as typeof fixture.pool, 3, fixture.webhookId);
      await releaseCalls(fixture.pool, 3, fixture.webhookId);
      const [row] = await sql<{ state: string; later: boolean }>(
        'select state, due_at > now() as later from flow_calls where call_id = $1',
        [late!.callId],
      );
      expect(row).toEqual({ state: 'READY', later: true });
    });

    const makeDue = (): Promise<unknown> =>
      sql("update flow_calls set due_at = now() - interval '1 ms' where due_at is not null");
    const superseded = async (): Promise<number> => {
      const [row] = await sql<{ n: number }>(
        "select coalesce(sum(calls), 0)::integer as n from call_statistics where outcome = 'SUPERSEDED'",
      );
      return row!.n;
    };

    it('runs the last call only; the others end as superseded, visibly and counted', async () => {
      const before = await superseded();
      await configure({ quietMs: HOUR_MS, delayMsMax: 10 * HOUR_MS });
      const calls = [];
      for (const n of numbers(3)) calls.push(await enter(n, debounced));
      expect(await Promise.all(calls.map(statusOf))).toEqual([['SKIPPED'], ['SKIPPED'], ['WAITING']]);
      const [first] = await fixture.read(calls[0]!.callId);
      expect(first).toMatchObject({ attempt: 0, error: { code: 'SUPERSEDED', retryable: false }, result: null });
      expect(first!.finishedAt).not.toBeNull();
      expect(await sql('select outcome, pending, http_status from calls where id = $1', [calls[0]!.callId])).toEqual([
        { outcome: 'SUPERSEDED', pending: 0, http_status: 202 },
      ]);
      expect(await superseded()).toBe(before + 2);
      const events = await readExecutionEvents(fixture.database.pool, calls[0]!.executionIds[0]!, 0, 10);
      expect(events.map(({ seq, data }) => [seq, JSON.parse(data)])).toEqual([
        [1, { status: 'WAITING', attempt: 0 }],
        [2, { status: 'SKIPPED', attempt: 0 }],
      ]);
      await start();
      await makeDue();
      await fixture.flow.sweep();
      await endAll(calls);
      expect(log).toEqual(['start 3', 'end 3']);
    });

    it('wakes whoever waits for a call whose place another one took', async () => {
      await configure({ quietMs: HOUR_MS, delayMsMax: HOUR_MS });
      const first = await enter(1, debounced);
      const ended = fixture.end(first.callId);
      await enter(2, debounced);
      expect((await ended).map(({ status }) => status)).toEqual(['SKIPPED']);
    });

    it('runs a call when it is due, without another word', async () => {
      await configure({ quietMs: 150, delayMsMax: 1_000 });
      await start();
      const call = await enter(1, debounced);
      const [execution] = await fixture.end(call.callId);
      expect(execution!.startedAt!.getTime() - execution!.queuedAt.getTime()).toBeGreaterThanOrEqual(150);
    });

    it('puts a stream off no longer than the longest delay', async () => {
      await configure({ quietMs: HOUR_MS, delayMsMax: HOUR_MS });
      await enter(1, debounced);
      await sql("update flow_calls set burst_at = now() - interval '59 minutes'"); // the stream has gone on for so long
      const last = await enter(2, debounced);
      const [row] = await sql<{ minutes: number }>(
        'select round(extract(epoch from due_at - accepted_at) / 60)::integer as minutes from flow_calls',
      );
      expect(row).toEqual({ minutes: 1 });
      await makeDue();
      await fixture.flow.sweep();
      const behind = await enter(3, debounced); // the first of a new burst
      expect([await statusOf(last), await statusOf(behind)]).toEqual([['QUEUED'], ['WAITING']]);
    });

    it('keeps keys apart, and holds a key while its call before is in progress', async () => {
      await configure({ quietMs: HOUR_MS, delayMsMax: HOUR_MS });
      const [x1, y, x2] = [
        await enter(1, inLane('x', true)),
        await enter(2, inLane('y', true)),
        await enter(3, inLane('x', true)),
      ];
      await makeDue();
      await fixture.flow.sweep();
      const x3 = await enter(4, inLane('x', true));
      await makeDue();
      await fixture.flow.sweep();
      expect(await Promise.all([x1, y, x2, x3].map(statusOf))).toEqual([
        ['SKIPPED'],
        ['QUEUED'],
        ['QUEUED'],
        ['WAITING'],
      ]);
      await start();
      await endAll([y, x2, x3]);
      expect(log.indexOf('end 3')).toBeLessThan(log.indexOf('start 4'));
    });

    it('lets everything that waits go when it is taken away', async () => {
      await configure({ quietMs: HOUR_MS, delayMsMax: HOUR_MS });
      const stored = await accept(1, debounced); // nobody has looked at it yet
      await configure({});
      await fixture.flow.sweep();
      expect(await statusOf(stored)).toEqual(['QUEUED']);
    });
  });

  describe('pause', () => {
    it('keeps what comes, and runs it in order on resume, within the limit', async () => {
      await configure({ concurrency: 1, paused: true });
      await start();
      const calls = [];
      for (const n of numbers(20)) calls.push(await enter(n));
      expect(calls.map(({ position }) => position)).toEqual(numbers(20));
      await fixture.flow.sweep();
      expect(log).toEqual([]);
      await configure({ concurrency: 1 });
      await fixture.flow.sweep();
      await endAll(calls);
      expect(inFlightMax).toBe(1);
      expect(log.filter((line) => line.startsWith('start'))).toEqual(numbers(20).map((n) => `start ${n}`));
    });

    it('lets go more calls than one release moves', async () => {
      await configure({ paused: true });
      await byMany(1_100, (n) => accept(n));
      await configure({});
      await fixture.flow.sweep();
      expect(await counts()).toEqual({ waiting: 0, running: 1_100 });
      expect(await sql('select 1 from graphile_worker._private_jobs')).toHaveLength(1_100);
    });

    it('of a webhook that is deleted ends what waits, for nobody can resume it', async () => {
      await configure({ concurrency: 1, paused: true });
      const calls = [await enter(1), await enter(2)];
      await configure({ concurrency: 1, paused: true, deleted: true });
      await fixture.flow.sweep();
      expect(await Promise.all(calls.map(statusOf))).toEqual([['CANCELED'], ['CANCELED']]);
      expect(await sql('select outcome from calls where id = $1', [calls[0]!.callId])).toEqual([{ outcome: 'FAILED' }]);
      expect(await counts()).toEqual({ waiting: 0, running: 0 });
    });

    it('is not what deletion is: what was accepted runs', async () => {
      await configure({ concurrency: 1 });
      await start();
      const calls = [await enter(1), await enter(2)];
      await configure({ concurrency: 1, deleted: true });
      await endAll(calls);
      expect(log).toEqual(['start 1', 'end 1', 'start 2', 'end 2']);
    });
  });

  describe('what a crash leaves undone is done by the next sweep', () => {
    it('after the accept', async () => {
      await configure({ concurrency: 1 });
      const calls = [await accept(1), await accept(2)];
      expect(await statusOf(calls[0]!)).toEqual(['WAITING']);
      await start();
      await fixture.flow.sweep();
      await endAll(calls);
    });

    it('after the end of a call', async () => {
      await configure({ concurrency: 1 });
      const [first, second] = [await enter(1), await enter(2)];
      await sql("update flow_calls set state = 'ENDED' where call_id = $1", [first.callId]);
      await fixture.flow.sweep();
      expect(await statusOf(second)).toEqual(['QUEUED']);
    });

    it('when a call ended without a word to the flow, or is gone', async () => {
      await configure({ concurrency: 2 });
      const [canceled, dropped, third, fourth] = [await enter(1), await enter(2), await enter(3), await enter(4)];
      await sql('update calls set pending = 0, finished_at = now() where id = $1', [canceled.callId]);
      await sql('delete from executions where call_id = $1', [dropped.callId]);
      await sql('delete from calls where id = $1', [dropped.callId]);
      for (let i = 0; i < 5; i += 1) await fixture.flow.sweep(); // such calls are looked for in each fifth
      expect([await statusOf(third), await statusOf(fourth)]).toEqual([['QUEUED'], ['QUEUED']]);
    });

    it('passes over a call whose executions were canceled while it waited', async () => {
      await configure({ concurrency: 1 });
      const [first, second, third] = [await enter(1), await enter(2), await enter(3)];
      await sql("update executions set status = 'CANCELED' where id = $1", [second.executionIds[0]]);
      await sql('update calls set pending = 0, finished_at = now() where id = $1', [second.callId]);
      await start();
      await endAll([first, third]);
      expect(log).toEqual(['start 1', 'end 1', 'start 3', 'end 3']);
    });
  });
});
