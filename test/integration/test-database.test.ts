import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

describe('a test database', () => {
  let first: TestDatabase;
  let second: TestDatabase;

  beforeAll(async () => {
    [first, second] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  });

  afterAll(async () => {
    await Promise.all([first.drop(), second.drop()]);
  });

  const query = async (url: string, text: string): Promise<Record<string, unknown>[]> => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(text)).rows;
    } finally {
      await client.end();
    }
  };

  it('is migrated', async () => {
    expect(await query(first.url, "select to_regclass('calls') is not null as there")).toEqual([{ there: true }]);
    expect(await query(first.url, "select to_regnamespace('graphile_worker') is not null as there")).toEqual([
      { there: true },
    ]);
  });

  it('belongs to its file alone', async () => {
    await query(first.url, 'create table only_here (id int)');
    expect(await query(second.url, "select to_regclass('only_here') is null as absent")).toEqual([{ absent: true }]);
  });

  it('is as durable as the real one', async () => {
    expect(await query(first.url, "select current_setting('fsync') as fsync")).toEqual([{ fsync: 'on' }]);
  });
});
