import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { Sql } from './database.js';
import { isDatabaseAway } from './database-away.js';

/** Many streams ask again when the database is back: not all in one moment. Milliseconds. */
const PAUSE_MS = { least: 200, most: 1_000 };

/** How long to wait before the database is asked again, in milliseconds. */
export function outagePauseMs(): number {
  return PAUSE_MS.least + Math.random() * (PAUSE_MS.most - PAUSE_MS.least);
}

/**
 * Reads for a stream that outlives an outage: while the database is away, a statement is tried again until it answers.
 * For statements that only read.
 *
 * @param ended aborts when nobody listens any more: what is being tried rejects then.
 */
export function patientSql(sql: Sql, ended: AbortSignal): Sql {
  return {
    query: async <Row extends pg.QueryResultRow>(config: pg.QueryConfig | string, values?: unknown[]) => {
      for (;;) {
        try {
          return typeof config === 'string' ? await sql.query<Row>(config, values) : await sql.query<Row>(config);
        } catch (error) {
          if (!isDatabaseAway(error)) throw error;
          await sleep(outagePauseMs(), undefined, { signal: ended });
        }
      }
    },
  };
}
