import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { type CallToStore, storeCalls } from '../../../src/calls/store-calls.js';
import { isDataFault } from '../../../src/db/data-fault.js';
import { newRandomUuid, newUuidV7 } from '../../../src/lib/ids.js';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.js';

let database: TestDatabase;
let pool: pg.Pool;
const ownerId = newUuidV7();

beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 2 });
  await pool.query("insert into users (id, name, role) values ($1, 'Owner', 'owner')", [ownerId]);
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

async function insertWebhook(active = true): Promise<string> {
  const id = newRandomUuid();
  await pool.query(
    `insert into webhooks (id, name, active, execution_mode, dispatch, auth_method, owner_id, version)
     values ($1, 'test', $2, 'ASYNC', 'PARALLEL', 'HMAC_SIGNATURE', $3, 7)`,
    [id, active, ownerId],
  );
  return id;
}

function callTo(webhookId: string, change: Partial<CallToStore> = {}): CallToStore {
  const receivedAtMs = Date.now();
  return {
    callId: newUuidV7(receivedAtMs),
    webhookId,
    webhookVersion: 7,
    receivedAtMs,
    executionMode: 'ASYNC',
    dispatch: 'PARALLEL',
    isTest: false,
    sourceIp: '127.0.0.1',
    headersJson: '{"content-type":"application/json"}',
    body: Buffer.from('{}'),
    executions: [{ executionId: newUuidV7(receivedAtMs), workerId: 'worker-a' }],
    ...change,
  };
}

const storedBodies = async (calls: readonly CallToStore[]): Promise<string[]> => {
  const { rows } = await pool.query<{ id: string; request_body: Buffer }>(
    'select id, request_body from calls where id = any($1::uuid[])',
    [calls.map((call) => call.callId)],
  );
  const byId = new Map(rows.map((row) => [row.id, row.request_body.toString('utf8')]));
  return calls.map((call) => byId.get(call.callId) ?? 'not stored');
};

describe('storeCalls', () => {
  it('keeps the bytes of every body in a batch', async () => {
    const webhookId = await insertWebhook();
    const bodies = ['{}', '{"a":"\\u0000 \\ud800"}', '{"ü":"日本語 🎉"}', '{ "n": 1.0, "m": 12345678901234567890 }'];
    const calls = bodies.map((text) => callTo(webhookId, { body: Buffer.from(text) }));
    expect(await storeCalls(pool, 0, calls)).toEqual(['stored', 'stored', 'stored', 'stored']);
    expect(await storedBodies(calls)).toEqual(bodies);
  });

  it('makes a job for each execution in parallel, and for the first one only in sequence', async () => {
    const webhookId = await insertWebhook();
    const executions = (): CallToStore['executions'] =>
      ['worker-a', 'worker-b', 'worker-c'].map((workerId) => ({ executionId: newUuidV7(), workerId }));
    const parallel = callTo(webhookId, { executions: executions() });
    const sequential = callTo(webhookId, { dispatch: 'SEQUENTIAL', executions: executions() });
    await storeCalls(pool, 0, [parallel, sequential]);
    const { rows } = await pool.query<{ call_id: string; position: number; status: string; has_job: boolean }>(
      `select e.call_id, e.position, e.status,
         exists (select from graphile_worker._private_jobs j where j.payload ->> 'executionId' = e.id::text) as has_job
       from executions e where e.call_id = any($1::uuid[]) order by e.position`,
      [[parallel.callId, sequential.callId]],
    );
    const of = (call: CallToStore): [string, boolean][] =>
      rows.filter((row) => row.call_id === call.callId).map((row) => [row.status, row.has_job]);
    expect(of(parallel)).toEqual([
      ['QUEUED', true],
      ['QUEUED', true],
      ['QUEUED', true],
    ]);
    expect(of(sequential)).toEqual([
      ['QUEUED', true],
      ['WAITING', false],
      ['WAITING', false],
    ]);
  });

  it('stores nothing of a call whose webhook has changed, is inactive or deleted, and all of the others', async () => {
    const webhookId = await insertWebhook();
    const inactiveId = await insertWebhook(false);
    const deletedId = await insertWebhook();
    await pool.query('update webhooks set deleted_at = now() where id = $1', [deletedId]);
    const calls = [
      callTo(webhookId),
      callTo(webhookId, { webhookVersion: 6 }),
      callTo(inactiveId),
      callTo(deletedId),
      callTo(newRandomUuid()),
      callTo(webhookId),
    ];
    expect(await storeCalls(pool, 0, calls)).toEqual(['stored', 'stale', 'stale', 'stale', 'stale', 'stored']);
    const { rows } = await pool.query<{ calls: number; executions: number; counted: number }>(
      `select (select count(*)::integer from calls where webhook_id = any($1)) as calls,
         (select count(*)::integer from executions where webhook_id = any($1)) as executions,
         (select sum(calls)::integer from call_statistics where webhook_id = any($1)) as counted`,
      [[webhookId, inactiveId, deletedId]],
    );
    expect(rows[0]).toEqual({ calls: 2, executions: 2, counted: 2 });
  });

  it('fails as a whole, and tells a fault of one call from one of the database', async () => {
    const webhookId = await insertWebhook();
    const calls = [callTo(webhookId), callTo(webhookId, { headersJson: 'not JSON' })];
    const error = await storeCalls(pool, 0, calls).catch((caught: unknown) => caught);
    expect(isDataFault(error)).toBe(true);
    expect(await storedBodies(calls)).toEqual(['not stored', 'not stored']);
    expect(isDataFault(Object.assign(new Error('too large'), { code: '54000' }))).toBe(true);
    expect(isDataFault(Object.assign(new Error('away'), { code: '57P01' }))).toBe(false);
    expect(isDataFault(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))).toBe(false);
  });
});
