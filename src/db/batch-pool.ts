import pg from 'pg';
import type { Logger } from '../lib/logger.js';
import { connectionOptions } from './database.js';

export interface BatchPoolOptions {
  readonly connectionsMax: number;
  /**
   * `hash`: statements join lists of their own parameters with one another. At 128 rows a hash join of two such lists
   * takes half of what nested loops take. `key`: rows are only ever looked up by key; then a join that reads a whole
   * table must never look cheap.
   */
  readonly joins: 'hash' | 'key';
  readonly log: Logger;
}

/**
 * Settings for connections on which the same few batch statements run all the time.
 *
 * A batch statement touches a dozen partitions, so planning it costs more than running it: one generic plan is kept
 * for good. In the first seconds of a new database that halves what an accept costs PostgreSQL (78 → 43 µs). Such a
 * plan may be made while the tables are still empty or not yet analysed; then reading and sorting all rows looks cheap,
 * and would be what runs a minute later. The queue's own claim of 30 jobs out of 17,000 took 4.6 ms so, growing with
 * the backlog, and takes 0.3 ms from its index.
 */
const ONE_PLAN = ['plan_cache_mode=force_generic_plan', 'enable_seqscan=off', 'jit=off'];

const BY_KEY = ['enable_bitmapscan=off', 'enable_sort=off', 'enable_hashjoin=off', 'enable_mergejoin=off'];

/** A statement that is not answered in this time lost its connection: TCP alone would take a quarter of an hour. */
const QUERY_TIMEOUT_MS = 15_000;

/** A pool for the hot statements, apart from the one that the admin API uses: neither can starve the other. */
export function openBatchPool(url: string, { connectionsMax, joins, log }: BatchPoolOptions): pg.Pool {
  const settings = joins === 'hash' ? ONE_PLAN : [...ONE_PLAN, ...BY_KEY];
  const pool = new pg.Pool({
    ...connectionOptions(url),
    max: connectionsMax,
    query_timeout: QUERY_TIMEOUT_MS,
    options: settings.map((setting) => `-c ${setting}`).join(' '),
  });
  pool.on('error', (error) => log.warn({ err: error }, 'an idle database connection broke'));
  pool.on('connect', (client) => client.on('error', () => undefined)); // the query in flight rejects; the pool drops it
  return pool;
}
