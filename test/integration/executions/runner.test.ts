import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { takeLeases } from '../../../src/executions/lease.js';
import { newRandomUuid, newUuidV7 } from '../../../src/lib/ids.js';
import { createLogger } from '../../../src/lib/logger.js';
import { toJsonText } from '../../../src/lib/json-text.js';
import { Heartbeat } from '../../../src/queue/heartbeat.js';
import { RunnerLost } from '../../../src/queue/job-context.js';
import { RunnerRegistration } from '../../../src/queue/registration.js';
import {
  rescueDeadNeighbours,
  rescueSilentRunners,
  unlockForgotten,
  unlockOrphans,
} from '../../../src/queue/rescue.js';
import type { QueueRunner } from '../../../src/queue/runner.js';
import { TestClock } from '../../support/admin-fixture.js';
import { type ExecutionFixture, openExecutionFixture, signal } from '../../support/execution-fixture.js';

const HOLDER = fileURLToPath(new URL('../../support/runner-holder.mjs', import.meta.url));

describe('the queue’s runner', () => {
  let fixture: ExecutionFixture;
  let runner: QueueRunner | undefined;

  beforeAll(async () => {
    fixture = await openExecutionFixture();
    await fixture.addWorker('worker-attempt', (run) => Promise.resolve({ result: toJsonText(run.attempt) }));
    await fixture.addWorker('worker-hangs', (run) => Promise.resolve({ result: toJsonText(run.attempt) }));
  });

  afterEach(async () => {
    await runner?.stop(0);
    runner = undefined;
  });

  afterAll(() => fixture.close());

  const count = async (from: string): Promise<number> => {
    const { rows } = await fixture.database.pool.query<{ n: number }>(`select count(*)::integer as n from ${from}`);
    return rows[0]!.n;
  };

  /** What a runner leaves that died while it ran a call's only execution. */
  const crash = async (
    workerId: string,
    host = 'elsewhere',
    pid = 1,
  ): Promise<{ callId: string; runnerId: string }> => {
    const runnerId = newUuidV7();
    await fixture.pool.query('insert into runners (id, host, pid, queue_worker_ids) values ($1, $2, $3, $4)', [
      runnerId,
      host,
      pid,
      [`pool-${runnerId}`],
    ]);
    const call = await fixture.store([workerId]);
    await takeLeases(fixture.pool, [{ executionId: call.executionIds[0]!, runnerId, token: newRandomUuid() }]);
    await fixture.pool.query(
      `update graphile_worker._private_jobs set locked_by = $2, locked_at = now(), attempts = 1
       where payload->>'executionId' = $1`,
      [call.executionIds[0], `pool-${runnerId}`],
    );
    return { callId: call.callId, runnerId };
  };
  const makeSilent = (runnerId: string): Promise<unknown> =>
    fixture.pool.query("update runners set heartbeat_at = now() - interval '1 minute' where id = $1", [runnerId]);

  describe('stop', () => {
    it('lets running jobs end, then leaves no job, no lock and no row', async () => {
      const [started, go] = [signal(), signal()];
      await fixture.addWorker('worker-waits', async () => {
        started.give();
        await go.given;
        return { result: toJsonText('done') };
      });
      runner = await fixture.startRunner();
      const call = await fixture.store(['worker-waits']);
      await started.given;
      const stopped = runner.stop(20_000);
      const late = await fixture.store(['worker-attempt']);
      go.give();
      await stopped;
      expect((await fixture.read(call.callId))[0]).toMatchObject({ status: 'SUCCEEDED', attempt: 1 });
      expect((await fixture.read(late.callId))[0]).toMatchObject({ status: 'QUEUED', attempt: 0 });
      expect([await count('runners'), await count('graphile_worker.jobs where locked_by is not null')]).toEqual([0, 0]);
      expect(await count('graphile_worker.jobs')).toBe(1);
      runner = await fixture.startRunner();
      await fixture.end(late.callId);
    });

    it('gives back what is not done at its deadline, for another runner to start afresh', async () => {
      const [started, aborted] = [signal(), signal()];
      await fixture.addWorker('worker-stubborn', (run) => {
        if (run.attempt === 1 && !run.signal.aborted) run.signal.addEventListener('abort', aborted.give);
        started.give();
        return new Promise(() => undefined);
      });
      runner = await fixture.startRunner();
      const call = await fixture.store(['worker-stubborn']);
      await started.given;
      await runner.stop(0);
      await aborted.given;
      expect((await fixture.read(call.callId))[0]).toMatchObject({ status: 'QUEUED', attempt: 0, error: null });
      expect(await count('runners')).toBe(0);
      fixture.changeWorker('worker-stubborn', (run) => Promise.resolve({ result: toJsonText(run.attempt) }));
      runner = await fixture.startRunner();
      expect((await fixture.end(call.callId))[0]).toMatchObject({ status: 'SUCCEEDED', attempt: 1 });
    });

    it('ends although the database is away, and the next one goes on with what it left', async () => {
      const started = signal();
      await fixture.addWorker('worker-cut-off', (run) => {
        if (run.attempt > 1) return Promise.resolve({ result: toJsonText(run.attempt) });
        started.give();
        return new Promise(() => undefined);
      });
      runner = await fixture.startRunner();
      const call = await fixture.store(['worker-cut-off']);
      await started.given;
      const database = new URL(fixture.url).pathname.slice(1);
      const elsewhere = new pg.Client({ connectionString: process.env['WORKHOOK_TEST_SERVER_URL'] });
      await elsewhere.connect();
      try {
        await elsewhere.query(`alter database ${database} allow_connections false`);
        await elsewhere.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [database]);
        await runner.stop(0);
      } finally {
        await elsewhere.query(`alter database ${database} allow_connections true`);
        await elsewhere.end();
      }
      runner = await fixture.startRunner();
      expect((await fixture.end(call.callId))[0]).toMatchObject({ status: 'SUCCEEDED', attempt: 2 });
    });

    it('can be called again', async () => {
      runner = await fixture.startRunner();
      await Promise.all([runner.stop(1_000), runner.stop(0)]);
    });
  });

  describe('rescue', () => {
    it('runs again what a silent runner had, and not what a living one has', async () => {
      const [dead, alive] = [await crash('worker-attempt'), await crash('worker-attempt')];
      await makeSilent(dead.runnerId);
      expect(await rescueSilentRunners(fixture.pool)).toEqual([dead.runnerId]);
      runner = await fixture.startRunner();
      expect((await fixture.end(dead.callId))[0]).toMatchObject({ status: 'SUCCEEDED', attempt: 2 });
      expect((await fixture.read(alive.callId))[0]).toMatchObject({ status: 'RUNNING', attempt: 1 });
      await makeSilent(alive.runnerId);
      expect(await rescueSilentRunners(fixture.pool)).toEqual([alive.runnerId]);
      await fixture.end(alive.callId);
    });

    it('fails what has killed its runner as often as there are attempts', async () => {
      await fixture.addWorker('worker-killer', () => Promise.reject(new Error('not run again')), { attemptsMax: 1 });
      const dead = await crash('worker-killer');
      await makeSilent(dead.runnerId);
      await rescueSilentRunners(fixture.pool);
      runner = await fixture.startRunner();
      expect((await fixture.end(dead.callId))[0]).toMatchObject({ status: 'FAILED', error: { code: 'RUNNER_LOST' } });
    });

    it('goes on at once after a kill on the same machine', async () => {
      const child = spawn(process.execPath, [HOLDER, fixture.url], { stdio: ['ignore', 'pipe', 'inherit'] });
      const exited = once(child, 'exit');
      try {
        const call = await fixture.store(['worker-hangs']);
        await once(child.stdout, 'data');
        expect(await rescueDeadNeighbours(fixture.pool)).toEqual([]);
        child.kill('SIGKILL');
        await exited;
        runner = await fixture.startRunner();
        expect((await fixture.end(call.callId))[0]).toMatchObject({ status: 'SUCCEEDED', attempt: 2 });
      } finally {
        child.kill('SIGKILL');
        await exited;
      }
    });

    it('does not take a runner of its own process for a dead one', async () => {
      runner = await fixture.startRunner();
      const second = await fixture.startRunner();
      expect(await rescueDeadNeighbours(fixture.pool)).toEqual([]);
      expect(await count('runners')).toBe(2);
      await second.stop(1_000);
    });

    it('unlocks what a living queue has locked and does not run', async () => {
      const [forgotten, running] = [await crash('worker-attempt'), await crash('worker-attempt')];
      const locked = async (runnerId: string): Promise<string[]> => {
        const { rows } = await fixture.pool.query<{ id: string }>(
          'select id from graphile_worker._private_jobs where locked_by = $1',
          [`pool-${runnerId}`],
        );
        return rows.map(({ id }) => id);
      };
      const pool = (runnerId: string, ids: string[], lockedMs?: number): Promise<number> =>
        unlockForgotten(fixture.pool, `pool-${runnerId}`, ids, lockedMs);
      expect(await pool(running.runnerId, await locked(running.runnerId), 0)).toBe(0);
      expect(await pool(forgotten.runnerId, [])).toBe(0); // locked just now: it may be on its way
      expect(await pool(forgotten.runnerId, [], 0)).toBe(1);
      await Promise.all([makeSilent(forgotten.runnerId), makeSilent(running.runnerId)]);
      await rescueSilentRunners(fixture.pool);
      runner = await fixture.startRunner();
      await Promise.all([fixture.end(forgotten.callId), fixture.end(running.callId)]);
    });

    it('unlocks jobs that are locked in the name of nobody', async () => {
      const dead = await crash('worker-attempt');
      await fixture.pool.query('delete from runners where id = $1', [dead.runnerId]);
      expect(await unlockOrphans(fixture.pool)).toBe(0); // its runner may be about to write its name
      expect(await unlockOrphans(fixture.pool, 0)).toBe(1);
      runner = await fixture.startRunner();
      await fixture.end(dead.callId);
    });
  });

  describe('heartbeat', () => {
    const heartbeatOf = (clock: TestClock, onLost = (): void => undefined): [RunnerRegistration, Heartbeat] => {
      const registration = new RunnerRegistration(fixture.pool);
      return [
        registration,
        new Heartbeat({ sql: fixture.pool, registration, onLost, clock, log: createLogger('silent') }),
      ];
    };

    it('registers anew when it was declared dead, after what runs was dropped', async () => {
      let lost = 0;
      const [registration, heartbeat] = heartbeatOf(new TestClock(), () => (lost += 1));
      await registration.register();
      const first = registration.id;
      await heartbeat.beat();
      expect([lost, registration.id]).toEqual([0, first]);
      await fixture.pool.query('delete from runners where id = $1', [first]);
      await heartbeat.beat();
      expect(lost).toBe(1);
      expect(await count(`runners where id = '${registration.id}'`)).toBe(1);
      expect(registration.id).not.toBe(first);
      await registration.remove();
    });

    it('declares nobody dead before it has itself beaten steadily for as long', async () => {
      const clock = new TestClock();
      const [registration, heartbeat] = heartbeatOf(clock);
      await registration.register();
      const dead = await crash('worker-attempt');
      await makeSilent(dead.runnerId);
      const isThere = async (): Promise<boolean> => (await count(`runners where id = '${dead.runnerId}'`)) === 1;
      for (const pauseMs of [0, 5_000, 5_000, 5_000]) {
        clock.advance(pauseMs);
        await heartbeat.beat();
      }
      expect(await isThere()).toBe(true);
      clock.advance(15_000); // an outage: the living could not beat either
      await heartbeat.beat();
      expect(await isThere()).toBe(true);
      for (let i = 0; i < 4; i += 1) {
        clock.advance(5_000);
        await heartbeat.beat();
      }
      expect(await isThere()).toBe(false);
      await registration.remove();
      runner = await fixture.startRunner();
      await fixture.end(dead.callId);
    });
  });

  it('drops what it runs when it was declared dead, and runs it again under its new name', async () => {
    const aborted = signal();
    const started = signal();
    let reason: unknown;
    await fixture.addWorker('worker-paused', (run) => {
      if (run.attempt > 1) return Promise.resolve({ result: toJsonText(run.attempt) });
      run.signal.addEventListener('abort', () => {
        reason = run.signal.reason;
        aborted.give();
      });
      started.give();
      return new Promise(() => undefined);
    });
    runner = await fixture.startRunner();
    const call = await fixture.store(['worker-paused']);
    await started.given;
    await fixture.pool.query("update runners set heartbeat_at = now() - interval '1 minute'");
    expect(await rescueSilentRunners(fixture.pool)).toEqual([runner.runnerId]);
    await aborted.given; // the next heartbeat, at most five seconds later
    expect(reason).toBeInstanceOf(RunnerLost);
    expect((await fixture.end(call.callId))[0]).toMatchObject({ status: 'SUCCEEDED', attempt: 2, result: '2' });
  });

  it('goes on after its connections broke, wherever they were', async () => {
    runner = await fixture.startRunner(4);
    const calls = [];
    for (let round = 0; round < 10; round += 1) {
      calls.push(...(await Promise.all(Array.from({ length: 20 }, () => fixture.store(['worker-attempt'])))));
      await fixture.database.pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid() and query !~ 'insert into calls'`,
      );
    }
    const executions = await Promise.all(calls.map((call) => fixture.end(call.callId)));
    expect(executions.every(([execution]) => execution?.status === 'SUCCEEDED')).toBe(true);
  });
});
