import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createLogger } from '../../../src/lib/logger.js';
import { startJobPool } from '../../../src/queue/job-pool.js';
import { type ExecutionFixture, openExecutionFixture, signal } from '../../support/execution-fixture.js';

let fixture: ExecutionFixture;

beforeAll(async () => {
  fixture = await openExecutionFixture();
});

afterAll(() => fixture.close());

it('claims nothing before its name is written: rescuers would not know whose the job is', async () => {
  const named = signal();
  const done = signal();
  const jobPool = startJobPool({
    pool: fixture.pool,
    tasks: { tried: () => done.give() },
    concurrency: 1,
    writeName: () => named.given,
    onClaimLost: () => undefined,
    log: createLogger('silent'),
  });
  try {
    await fixture.pool.query(`select graphile_worker.add_job('tried')`);
    const claimed = async (): Promise<unknown> =>
      (await fixture.pool.query('select locked_by from graphile_worker._private_jobs')).rows[0]?.locked_by;
    for (let trip = 0; trip < 50; trip += 1) expect(await claimed()).toBeNull(); // a claim takes one trip
    named.give();
    await done.given;
  } finally {
    named.give();
    jobPool.stop();
    await jobPool.ended;
  }
});
