import pg from 'pg';
import { connectionOptions } from '../db/database.js';
import type { Logger } from '../lib/logger.js';

/**
 * Settings for connections on which every statement is a handful of key lookups, or reads an index in its order.
 *
 * A batch statement touches a dozen partitions, so planning it costs more than running it: one generic plan is kept
 * for good. Such a plan may be made while the tables are still empty or not yet analysed; then reading and sorting all
 * rows looks cheap, and would be what runs a minute later. The queue's own claim of 30 jobs out of 17,000 took 4.6 ms
 * so, growing with the backlog, and takes 0.3 ms from its index. Nothing here ever wants anything else than an index.
 */
const KEY_LOOKUPS = [
  'plan_cache_mode=force_generic_plan',
  'enable_seqscan=off',
  'enable_bitmapscan=off',
  'enable_sort=off',
  'enable_hashjoin=off',
  'enable_mergejoin=off',
  'jit=off',
];

/** A statement that is not answered in this time lost its connection: TCP alone would take a quarter of an hour. */
const QUERY_TIMEOUT_MS = 15_000;

/** Lease, finish, heartbeat and rescue, and four for the queue: listening, claiming, completing, failing. */
const CONNECTIONS_MAX = 8;

/** The runner's own connections, so that it and the admin API can't starve each other. */
export function openRunnerPool(url: string, log: Logger): pg.Pool {
  const pool = new pg.Pool({
    ...connectionOptions(url),
    max: CONNECTIONS_MAX,
    query_timeout: QUERY_TIMEOUT_MS,
    options: KEY_LOOKUPS.map((setting) => `-c ${setting}`).join(' '),
  });
  pool.on('error', (error) => log.warn({ err: error }, 'an idle database connection broke'));
  pool.on('connect', (client) => client.on('error', () => undefined)); // the query in flight rejects; the pool drops it
  return pool;
}
