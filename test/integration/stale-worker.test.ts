import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EventHub } from '../../src/events/event-hub.js';
import { WorkerRegistry } from '../../src/workers/registry.js';
import { type AdminFixture, openAdminFixture } from '../support/admin-fixture.js';

let admin: AdminFixture;
let hub: EventHub;
let registry: WorkerRegistry;

/** A registry that hears of no event at all. */
beforeAll(async () => {
  admin = await openAdminFixture();
  hub = new EventHub();
  registry = new WorkerRegistry({ database: admin.database, hub, runners: [], clock: admin.clock });
});

afterAll(async () => {
  registry.close();
  hub.close();
  await admin.close();
});

/** Makes a version current that asks for these properties. */
async function putVersion(workerId: string, version: number, required: readonly string[]): Promise<void> {
  const { pool } = admin.database;
  await pool.query(
    `insert into worker_versions (worker_id, version, definition, input_schema, timeout_ms, attempts_max)
     values ($1, $2, '{}', $3, 30000, 3)`,
    [workerId, version, JSON.stringify({ type: 'object', required })],
  );
  await pool.query('update workers set current_version = $2 where id = $1', [workerId, version]);
}

const faultsOf = async (workerIds: readonly string[], input: unknown): Promise<readonly string[]> =>
  (await registry.validateInput(workerIds, input, admin.clock.monotonicMs())).map(({ workerId }) => workerId);

describe('a registry that missed a change of a worker', () => {
  it('refuses no input by a schema that was replaced', async () => {
    await admin.addWorkers('worker-a', 'worker-b');
    await putVersion('worker-a', 1, ['a']);
    await putVersion('worker-b', 1, []);
    const both = ['worker-a', 'worker-b'];
    expect(await faultsOf(both, { a: 1 })).toEqual([]);
    expect(await faultsOf(both, {})).toEqual(['worker-a']);
    await putVersion('worker-a', 2, []);
    expect(await faultsOf(both, {})).toEqual([]);
  });
});
