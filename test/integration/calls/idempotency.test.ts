import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { deleteExpiredKeys, type IdempotencyKey } from '../../../src/calls/idempotency.js';
import { type CallToStore, storeCalls, type StoreResult } from '../../../src/calls/store-calls.js';
import { EventHub } from '../../../src/events/event-hub.js';
import { beginWait } from '../../../src/executions/wait-for.js';
import { systemClock } from '../../../src/lib/clock.js';
import { newRandomUuid, newUuidV7 } from '../../../src/lib/ids.js';
import { waitForBlockedSessions } from '../../support/blocked-sessions.js';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.js';

const DAY_MS = 86_400_000;

let database: TestDatabase;
let pool: pg.Pool;
let webhookId: string;
const ownerId = newUuidV7();

beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 6 });
  await pool.query("insert into users (id, name, role) values ($1, 'Owner', 'owner')", [ownerId]);
});

beforeEach(async () => {
  webhookId = newRandomUuid();
  await pool.query(
    `insert into webhooks (id, name, active, execution_mode, dispatch, auth_method, owner_id)
     values ($1, 'test', true, 'ASYNC', 'PARALLEL', 'HMAC_SIGNATURE', $2)`,
    [webhookId, ownerId],
  );
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

function key(name: string, body = '{}'): IdempotencyKey {
  return { keyHash: sha256(`${webhookId} ${name}`), bodyHash: sha256(body), deliveryId: name, windowMs: DAY_MS };
}

function call(idempotency: IdempotencyKey | undefined, change: Partial<CallToStore> = {}): CallToStore {
  const receivedAtMs = change.receivedAtMs ?? Date.now();
  return {
    callId: newUuidV7(receivedAtMs),
    webhookId,
    webhookVersion: 1,
    receivedAtMs,
    executionMode: 'ASYNC',
    dispatch: 'PARALLEL',
    isTest: false,
    sourceIp: '127.0.0.1',
    headersJson: '{}',
    body: Buffer.from('{}'),
    executions: ['worker-a', 'worker-b'].map((workerId) => ({ executionId: newUuidV7(receivedAtMs), workerId })),
    idempotency,
    ...change,
  };
}

const repeatOf = (first: CallToStore, sameBody = true): StoreResult => ({
  callId: first.callId,
  sameBody,
  executions: first.executions,
});

interface Stored {
  readonly calls: number;
  readonly executions: number;
  readonly jobs: number;
  readonly counted: number;
}

async function stored(): Promise<Stored> {
  const { rows } = await pool.query<Stored>(
    `select (select count(*)::integer from calls where webhook_id = $1) as calls,
       (select count(*)::integer from executions where webhook_id = $1) as executions,
       (select count(*)::integer from graphile_worker._private_jobs j join executions e
          on j.payload ->> 'executionId' = e.id::text where e.webhook_id = $1) as jobs,
       (select coalesce(sum(calls), 0)::integer from call_statistics where webhook_id = $1) as counted`,
    [webhookId],
  );
  return rows[0]!;
}

const ONE_CALL: Stored = { calls: 1, executions: 2, jobs: 2, counted: 1 };

describe('storeCalls with idempotency keys', () => {
  it('stores the first call, and gives its ids to a repeat', async () => {
    const first = call(key('k'));
    expect(await storeCalls(pool, 0, [first])).toEqual(['stored']);
    expect(await storeCalls(pool, 0, [call(key('k'))])).toEqual([repeatOf(first)]);
    expect(await stored()).toEqual(ONE_CALL);
    const { rows } = await pool.query('select delivery_id from calls where id = $1', [first.callId]);
    expect(rows).toEqual([{ delivery_id: 'k' }]);
  });

  it('tells a repeat from another body under the same key', async () => {
    const first = call(key('k'));
    await storeCalls(pool, 0, [first]);
    expect(await storeCalls(pool, 0, [call(key('k', '{"other":1}'))])).toEqual([repeatOf(first, false)]);
    expect(await storeCalls(pool, 0, [call(key('k'))])).toEqual([repeatOf(first)]);
    expect(await stored()).toEqual(ONE_CALL);
  });

  it('takes the first of several in one batch, beside calls without a key', async () => {
    const first = call(key('k'));
    const batch = [
      call(undefined),
      first,
      call(key('k')),
      call(key('other')),
      call(key('k', '{"b":1}')),
      call(undefined),
    ];
    const results = await storeCalls(pool, 0, batch);
    expect(results).toEqual(['stored', 'stored', repeatOf(first), 'stored', repeatOf(first, false), 'stored']);
    expect(await stored()).toEqual({ calls: 4, executions: 8, jobs: 8, counted: 4 });
  });

  it('claims nothing for a call whose webhook has changed', async () => {
    const fresh = call(key('k'));
    const results = await storeCalls(pool, 0, [call(key('k'), { webhookVersion: 9 }), fresh]);
    expect(results).toEqual(['stale', 'stored']);
    const other = call(key('l'), { webhookVersion: 9 });
    expect(await storeCalls(pool, 0, [other])).toEqual(['stale']);
    expect(await storeCalls(pool, 0, [call(key('l'))])).toEqual(['stored']);
  });

  it('leaves no key behind when the transaction fails', async () => {
    const error = await storeCalls(pool, 0, [call(key('k'), { headersJson: 'not JSON' })]).catch(
      (caught: unknown) => caught,
    );
    expect(error).toBeInstanceOf(pg.DatabaseError);
    expect(await storeCalls(pool, 0, [call(key('k'))])).toEqual(['stored']);
  });

  it('waits for a transaction that holds the key: repeats it after a commit, takes its place after a rollback', async () => {
    for (const end of ['commit', 'rollback']) {
      const client = await pool.connect();
      try {
        await client.query('begin');
        const first = call(key(end));
        await storeCalls(client, 0, [first]);
        const second = storeCalls(pool, 1, [call(key(end))]);
        await waitForBlockedSessions(pool, 1);
        await client.query(end);
        expect(await second).toEqual([end === 'commit' ? repeatOf(first) : 'stored']);
      } finally {
        client.release();
      }
    }
    expect(await stored()).toEqual({ calls: 2, executions: 4, jobs: 4, counted: 2 });
  });

  it('neither loses nor doubles a call when batches have the same keys in different orders', async () => {
    const names = Array.from({ length: 100 }, (_, i) => `k${i}`);
    const batches = [names, names.toReversed(), [...names.slice(50), ...names.slice(0, 50)], names.toReversed()];
    const results = await Promise.all(
      batches.map((batch, shard) =>
        storeCalls(
          pool,
          shard,
          batch.map((name) => call(key(name))),
        ),
      ),
    );
    expect(results.flat().filter((result) => result === 'stored')).toHaveLength(100);
    expect(await stored()).toEqual({ calls: 100, executions: 200, jobs: 200, counted: 100 });
  });

  it('takes a call as new when the window has ended', async () => {
    await storeCalls(pool, 0, [call(key('k'))]);
    await pool.query("update idempotency_keys set expires_at = now() - interval '1 second' where key_hash = $1", [
      key('k').keyHash,
    ]);
    const second = call(key('k', '{"another":"body"}'));
    expect(await storeCalls(pool, 0, [second])).toEqual(['stored']);
    expect(await storeCalls(pool, 0, [call(key('k', '{"another":"body"}'))])).toEqual([repeatOf(second)]);
    const { rows } = await pool.query<{ left_ms: number }>(
      'select (extract(epoch from expires_at - now()) * 1000)::float8 as left_ms from idempotency_keys where key_hash = $1',
      [key('k').keyHash],
    );
    expect(rows[0]!.left_ms).toBeGreaterThan(DAY_MS - 60_000);
  });

  it('takes a call as new when the first one may be gone with its retention', async () => {
    const old = { receivedAtMs: Date.now() - 3 * DAY_MS };
    const first = call({ ...key('k'), windowMs: 7 * DAY_MS }, old);
    await storeCalls(pool, 0, [first], 2);
    expect(await storeCalls(pool, 0, [call(key('k'))], 0)).toEqual([repeatOf(first)]); // everything is kept
    expect(await storeCalls(pool, 0, [call(key('k'))], 4)).toEqual([repeatOf(first)]);
    expect(await storeCalls(pool, 0, [call(key('k'))], 2)).toEqual(['stored']);
  });
});

describe('beginWait for a call that is stored', () => {
  it('reads it at once, for its end may have been told already', async () => {
    const first = call(key('k'));
    await storeCalls(pool, 0, [first]);
    await pool.query("update executions set status = 'SUCCEEDED' where call_id = $1", [first.callId]);
    const options = { hub: new EventHub(), sql: pool, clock: systemClock };
    const waits = [false, true].map((isStored) => beginWait(options, first.callId, isStored));
    const [unaware, aware] = waits.map((wait) => wait.finished(60_000));
    expect(await aware).toHaveLength(2);
    waits[0]!.cancel(); // it heard nothing, so it would have looked again in two seconds
    expect(await unaware).toBeUndefined();
  });
});

describe('deleteExpiredKeys', () => {
  it('deletes the keys whose window has ended, and no others', async () => {
    await storeCalls(pool, 0, [call(key('ended')), call(key('known'))]);
    await pool.query('update idempotency_keys set expires_at = now() where key_hash = $1', [key('ended').keyHash]);
    await deleteExpiredKeys(pool);
    const { rows } = await pool.query<{ key_hash: Buffer }>(
      'select key_hash from idempotency_keys where key_hash = any($1)',
      [[key('ended').keyHash, key('known').keyHash]],
    );
    expect(rows.map((row) => row.key_hash)).toEqual([key('known').keyHash]);
  });
});
