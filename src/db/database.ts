import { type EntitySchema, MikroORM } from '@mikro-orm/core';
import { type EntityManager, PostgreSqlDriver } from '@mikro-orm/postgresql';
import { Migrator } from '@mikro-orm/migrations';
import pg from 'pg';
import { MIGRATIONS } from '../../migrations/list.js';
import type { Logger } from '../lib/logger.js';

export interface DatabaseOptions {
  readonly url: string;
  readonly entities: EntitySchema[];
  /** Connections in all: half for the ORM (the admin API), half for raw SQL (runner, results). */
  readonly poolSize: number;
  readonly log: Logger;
}

/** Whatever runs a statement: the pool, or one client inside a transaction. */
export interface Sql {
  query<Row extends pg.QueryResultRow>(config: pg.QueryConfig): Promise<pg.QueryResult<Row>>;
  query<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<pg.QueryResult<Row>>;
}

/** The one PostgreSQL of a process. */
export interface Database {
  readonly orm: MikroORM<PostgreSqlDriver>;
  /** For raw SQL and the queue. Dates come as `Date`, `bigint` as text, as `pg` does it. */
  readonly pool: pg.Pool;
  readonly url: string;
  /** A new entity manager with its own identity map: one a request, never a shared one. */
  em(): EntityManager;
  /** Runs `work` in one transaction; a throw rolls it back. */
  transaction<T>(work: (em: EntityManager) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** An exhausted pool refuses after this long instead of waiting for ever; the edges answer 503. */
const CONNECT_TIMEOUT_MS = 2_000;

/** How this process calls itself in `pg_stat_activity`. */
export function applicationName(): string {
  return `workhook:${process.pid}`;
}

/**
 * Connection settings shared by every pool and client. Keep-alive notices a half-open connection; without a
 * statement limit a stuck statement would hold its connection for ever.
 */
export function connectionOptions(url: string): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: applicationName(),
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    statement_timeout: 60_000,
  };
}

/** A pool whose idle connections may break (PostgreSQL restarts) without taking the process down. */
function openPool(url: string, connectionsMax: number, log: Logger): pg.Pool {
  const pool = new pg.Pool({ ...connectionOptions(url), max: connectionsMax });
  pool.on('error', (error) => log.warn({ err: error }, 'an idle database connection broke'));
  pool.on('connect', (client) => client.on('error', () => undefined)); // the query in flight rejects; the pool drops it
  return pool;
}

/** Opens the ORM and the pool. Nothing is connected before the first query. */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { url, entities, log } = options;
  const connectionsMax = Math.max(2, Math.floor(options.poolSize / 2));
  const orm = await MikroORM.init<PostgreSqlDriver>({
    driver: PostgreSqlDriver,
    clientUrl: url,
    driverOptions: connectionOptions(url),
    pool: { min: 0, max: connectionsMax },
    entities,
    extensions: [Migrator],
    migrations: { migrationsList: MIGRATIONS, snapshot: false, allOrNothing: true, tableName: 'workhook_migrations' },
    logger: (message) => log.debug(message),
    colors: false,
  });
  const pool = openPool(url, connectionsMax, log);
  return {
    orm,
    pool,
    url,
    em: () => orm.em.fork(),
    transaction: (work) => orm.em.fork().transactional(work),
    close: async () => {
      await pool.end();
      await orm.close(true);
    },
  };
}
