import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { createLogger } from '../../../src/lib/logger.js';
import { WINDOW_MS, WindowStore } from '../../../src/rate-limits/window-store.js';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.js';

const HOUR_MS = 3_600_000;

let test: TestDatabase;
let pool: pg.Pool;
let store: WindowStore;

beforeAll(async () => {
  test = await createTestDatabase();
  pool = new pg.Pool({ connectionString: test.url, max: 2 });
  store = new WindowStore(pool, createLogger('silent'));
});

afterAll(async () => {
  store.close();
  await pool.end();
  await test.drop();
});

describe('WindowStore', () => {
  it('forgets windows from before a clock was set back, and leaves alone what another clock may still count in', async () => {
    const endsInMs = {
      'a year ahead': 365 * 24 * HOUR_MS,
      'half an hour ahead': HOUR_MS / 2,
      'half an hour ago': -HOUR_MS / 2,
      'two hours ago': -2 * HOUR_MS,
    };
    for (const [key, ms] of Object.entries(endsInMs)) {
      await store.lease(key, 7);
      await pool.query('update rate_limit_windows set expire = expire + $2 where key = $1', [key, ms - WINDOW_MS]);
    }
    expect(await store.lease('a year ahead', 1)).toMatchObject({ countedBefore: 7 });
    await store.cleanUp();
    expect(await store.lease('a year ahead', 1)).toMatchObject({ countedBefore: 0 });
    expect(await store.lease('half an hour ahead', 1)).toMatchObject({ countedBefore: 7 });
    const { rows } = await pool.query<{ key: string }>('select key from rate_limit_windows');
    expect(rows.map(({ key }) => key)).toEqual(expect.arrayContaining(['half an hour ago']));
    expect(rows.map(({ key }) => key)).not.toContain('two hours ago');
  });
});
