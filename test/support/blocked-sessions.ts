import type { Sql } from '../../src/db/database.js';

/**
 * Waits until this many sessions of the database wait for a lock: then a race is set up, and releasing the lock starts
 * it. Ask outside of a transaction: inside one, PostgreSQL answers from the same snapshot for ever.
 */
export async function waitForBlockedSessions(sql: Sql, sessions: number): Promise<void> {
  for (;;) {
    const { rows } = await sql.query<{ blocked: number }>(
      `select count(*)::int as blocked from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock'`,
    );
    if ((rows[0]?.blocked ?? 0) >= sessions) return;
  }
}
