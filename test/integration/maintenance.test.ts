import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { maintain, type MaintenanceTask } from '../../src/db/maintenance.js';
import { dropExpiredPartitions, ensurePartitions } from '../../src/db/partitions.js';
import { newRandomUuid, newUuidV7 } from '../../src/lib/ids.js';
import { createLogger } from '../../src/lib/logger.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const log = createLogger('silent');

let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 3 });
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

const partitions = async (parent: string): Promise<string[]> => {
  const { rows } = await pool.query<{ name: string }>(
    'select inhrelid::regclass::text as name from pg_inherits where inhparent = $1::regclass order by 1',
    [parent],
  );
  return rows.map((row) => row.name);
};

const insertCall = (id: string): Promise<unknown> =>
  pool.query(
    `insert into calls (id, webhook_id, received_at, execution_mode, dispatch, outcome, is_test, request_headers,
       request_body, pending)
     values ($1, $2, now(), 'ASYNC', 'PARALLEL', 'SUCCEEDED', false, '{}', '{}', 0)`,
    [id, newRandomUuid()],
  );

const partitionOf = async (id: string): Promise<string> => {
  const { rows } = await pool.query<{ name: string }>(
    'select tableoid::regclass::text as name from calls where id = $1',
    [id],
  );
  return rows[0]!.name;
};

describe('partitions', () => {
  it('are made eight weeks ahead, and making them again changes nothing', async () => {
    await ensurePartitions(pool);
    const before = await partitions('executions');
    expect(before.length).toBeGreaterThanOrEqual(10);
    await ensurePartitions(pool);
    expect(await partitions('executions')).toEqual(before);
  });

  it('take a call by the time in its id; the default one takes what no week has', async () => {
    const now = newUuidV7();
    const faraway = newUuidV7(Date.parse('2100-01-01'));
    await insertCall(now);
    await insertCall(faraway);
    expect(await partitionOf(now)).toMatch(/^calls_\d{8}$/);
    expect(await partitionOf(faraway)).toBe('calls_default');
  });

  it('are dropped when they lie wholly before the retention time, and not a week earlier', async () => {
    await pool.query("select workhook_ensure_partitions(now() - interval '40 days', 0)");
    await pool.query("select workhook_ensure_partitions(now() - interval '20 days', 0)");
    const old = newUuidV7(Date.now() - 40 * 86_400_000);
    const kept = newUuidV7(Date.now() - 20 * 86_400_000);
    await insertCall(old);
    await insertCall(kept);
    await dropExpiredPartitions(pool, 0);
    expect(await partitionOf(old)).toMatch(/^calls_\d{8}$/);
    await dropExpiredPartitions(pool, 30);
    expect((await pool.query('select 1 from calls where id = $1', [old])).rowCount).toBe(0);
    expect(await partitionOf(kept)).toMatch(/^calls_\d{8}$/);
  });
});

describe('a round of maintenance', () => {
  it('goes on after a task that failed', async () => {
    const done: string[] = [];
    const tasks: MaintenanceTask[] = [
      { name: 'broken', run: async (sql) => void (await sql.query('select 1 / 0')) },
      {
        name: 'next',
        run: async (sql) => void done.push((await sql.query<{ n: string }>("select 'ran' as n")).rows[0]!.n),
      },
    ];
    expect(await maintain({ pool, tasks, log })).toBe(true);
    expect(done).toEqual(['ran']);
  });

  it('is done by one process at a time', async () => {
    const inside = Promise.withResolvers<void>();
    const leave = Promise.withResolvers<void>();
    const first = maintain({
      pool,
      log,
      tasks: [
        {
          name: 'slow',
          run: async () => {
            inside.resolve();
            await leave.promise;
          },
        },
      ],
    });
    await inside.promise;
    const task: MaintenanceTask = { name: 'never', run: () => Promise.reject(new Error('ran beside the first')) };
    expect(await maintain({ pool, tasks: [task], log })).toBe(false);
    leave.resolve();
    expect(await first).toBe(true);
    expect(await maintain({ pool, tasks: [], log })).toBe(true);
  });
});
