import type { EntityManager } from '@mikro-orm/postgresql';
import type pg from 'pg';
import { codeOf } from '../errors.js';
import type { Sql } from './database.js';

/** A transaction over plain SQL. */
export interface RawTransaction extends Pick<EntityManager, 'execute'> {
  /** Statements with numbered parameters, as the hot paths have them; `execute` takes texts with `?` for each. */
  readonly sql: Sql;
}

/** PostgreSQL's word for a transaction that it ended because two waited for each other. */
const DEADLOCK = '40P01';

const TRIES_MAX = 5;

/**
 * Runs `work` in one transaction; a throw rolls it back. For statements that need PostgreSQL's own parameters, arrays
 * and bytes above all, which the ORM would write into the text.
 *
 * @param work is done again when it lost a deadlock, so it must have no effect but through the transaction.
 */
export async function rawTransaction<T>(pool: pg.Pool, work: (tx: RawTransaction) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await runOnce(pool, work);
    } catch (error) {
      if (codeOf(error) !== DEADLOCK || tries === TRIES_MAX) throw error;
    }
  }
}

async function runOnce<T>(pool: pg.Pool, work: (tx: RawTransaction) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('begin');
    const execute = async (statement: string, parameters: unknown[] = []): Promise<unknown> => {
      let n = 0;
      const text = statement.replaceAll('?', () => `$${(n += 1)}`);
      return (await client.query(text, parameters)).rows;
    };
    const result = await work({ sql: client, execute: execute as EntityManager['execute'] });
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch((failure: Error) => (broken = failure));
    throw error;
  } finally {
    client.release(broken); // a broken connection is closed, and its transaction is gone with it
  }
}
