import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { JobMender, reviveFailedJobs } from '../../../src/executions/mend-jobs.js';
import { takeLeases } from '../../../src/executions/lease.js';
import { newRandomUuid, newUuidV7 } from '../../../src/lib/ids.js';
import { toJsonText } from '../../../src/lib/json-text.js';
import type { QueueRunner } from '../../../src/queue/runner.js';
import { type ExecutionFixture, openExecutionFixture, type StoredCall } from '../../support/execution-fixture.js';

const HOUR_MS = 3_600_000;

describe('an execution whose job is missing', () => {
  let fixture: ExecutionFixture;
  let runner: QueueRunner | undefined;

  beforeAll(async () => {
    fixture = await openExecutionFixture();
    await fixture.addWorker('worker-a', (run) => Promise.resolve({ result: toJsonText(run.attempt) }));
  });

  afterEach(async () => {
    await runner?.stop(0);
    runner = undefined;
    await sql("update executions set status = 'CANCELED' where status in ('QUEUED', 'WAITING', 'RUNNING')");
    await sql('delete from graphile_worker._private_jobs');
  });

  afterAll(() => fixture.close());

  const sql = <Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> =>
    fixture.database.pool.query<Row>(text, values).then(({ rows }) => rows);
  const loseJobs = (): Promise<unknown> => sql('delete from graphile_worker._private_jobs');
  const addMissing = (): Promise<number> => new JobMender().addMissing(fixture.database.pool);
  const end = async (calls: readonly StoredCall[]): Promise<(string | undefined)[]> => {
    runner = await fixture.startRunner();
    return await Promise.all(calls.map(async ({ callId }) => (await fixture.end(callId))[0]?.status));
  };
  /** Leases the only execution of a new call, as a runner that is gone by now. */
  const leased = async (): Promise<StoredCall> => {
    const call = await fixture.store(['worker-a']);
    const request = { executionId: call.executionIds[0]!, runnerId: newUuidV7(), token: newRandomUuid() };
    await takeLeases(fixture.pool, [request]);
    return call;
  };

  it('gets one: QUEUED, waiting for another attempt, or with a runner that is gone', async () => {
    const [queued, again, orphan] = [
      await fixture.store(['worker-a']),
      await fixture.store(['worker-a']),
      await leased(),
    ];
    await sql(`update executions set status = 'WAITING', attempt = 1, error = '{"code":"X"}' where call_id = $1`, [
      again.callId,
    ]);
    await loseJobs();
    expect(await addMissing()).toBe(3);
    expect(await addMissing()).toBe(0);
    expect(await end([queued, again, orphan])).toEqual(['SUCCEEDED', 'SUCCEEDED', 'SUCCEEDED']);
  });

  it('is told from one that has its job, or is to have none', async () => {
    await fixture.store(['worker-a', 'worker-a']); // two with jobs
    await fixture.store(['worker-a', 'worker-a'], { dispatch: 'SEQUENTIAL' }); // one, and one that waits for it
    await fixture.store(['worker-a'], { flow: { lane: Buffer.alloc(0), debounced: false } }); // waits for its turn
    const running = await leased();
    const [{ leased_by: runnerId } = { leased_by: '' }] = await sql<{ leased_by: string }>(
      'select leased_by from executions where call_id = $1',
      [running.callId],
    );
    await sql("insert into runners (id, host, pid, queue_worker_ids) values ($1, 'elsewhere', 1, '{}')", [runnerId]);
    await sql("delete from graphile_worker._private_jobs where payload ->> 'executionId' = $1", [
      running.executionIds[0],
    ]);
    expect(await addMissing()).toBe(0);
    await sql('delete from runners where id = $1', [runnerId]);
    expect(await addMissing()).toBe(1);
  });

  it('is found however old it is, and what is settled is not looked through again', async () => {
    const mender = new JobMender();
    const call = await fixture.store(['worker-a']);
    const old = newUuidV7(Date.now() - 50 * HOUR_MS);
    await sql('update executions set id = $2 where call_id = $1', [call.callId, old]);
    await loseJobs();
    expect(await mender.addMissing(fixture.database.pool)).toBe(1);
    await loseJobs();
    expect(await mender.addMissing(fixture.database.pool)).toBe(1); // it is open still, so the next look begins there
    await sql("update executions set status = 'CANCELED' where id = $1", [old]);
    expect(await mender.addMissing(fixture.database.pool)).toBe(0);
    await sql("update executions set status = 'QUEUED' where id = $1", [old]); // nothing does this
    await loseJobs();
    expect(await mender.addMissing(fixture.database.pool)).toBe(0);
    expect(await addMissing()).toBe(1);
  });

  it('has a job that the queue gave up: it is offered again', async () => {
    const call = await fixture.store(['worker-a']);
    await sql('update graphile_worker._private_jobs set attempts = max_attempts');
    const other = await fixture.store(['worker-a']);
    expect(await addMissing()).toBe(0);
    expect(await reviveFailedJobs(fixture.database.pool)).toBe(1);
    expect(await end([call, other])).toEqual(['SUCCEEDED', 'SUCCEEDED']);
    expect(await sql('select 1 from graphile_worker._private_jobs where attempts >= max_attempts')).toEqual([]);
  });
});
