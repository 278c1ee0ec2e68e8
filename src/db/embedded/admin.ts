import pg from 'pg';
import { SUPERUSER } from './cluster.js';
import type { ServerAddress } from './postmaster-pid.js';

/** The database and the role of the gateway. */
export const DATABASE = 'workhook';
export const ROLE = 'workhook';

/** `CREATE DATABASE` copies some 10 MB and makes them durable; nothing else here takes long. */
const QUERY_TIMEOUT_MS = 60_000;

/** `@types/pg` leaves these two out. */
export type AdminClient = pg.Client & { ref(): void; unref(): void };

/**
 * Connects as superuser. The application name marks a gateway that uses this server, see {@link otherGateways}.
 */
export async function connectAdmin(address: ServerAddress, password: string, timeoutMs: number): Promise<AdminClient> {
  const client = new pg.Client({
    host: address.host,
    port: address.port,
    user: SUPERUSER,
    password,
    database: 'postgres',
    ssl: false,
    application_name: `workhook:${process.pid}:embedded`,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: QUERY_TIMEOUT_MS,
  }) as AdminClient;
  client.on('error', () => undefined); // the end of the connection is what counts, and "end" follows
  await client.connect();
  return client;
}

/**
 * Makes the gateway's role and database where they are missing. The role is no superuser: a hole in one of our
 * statements then reaches the database, not the files and programs of the machine.
 */
export async function ensureDatabase(admin: pg.Client, password: string): Promise<void> {
  const database = await admin.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE]);
  if (database.rowCount !== 0) return;
  const role = await admin.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [ROLE]);
  if (role.rowCount === 0) {
    const literal = admin.escapeLiteral(password);
    await admin.query(`CREATE ROLE ${ROLE} LOGIN CREATEDB IN ROLE pg_monitor PASSWORD ${literal}`);
  }
  await admin.query(`CREATE DATABASE ${DATABASE} OWNER ${ROLE}`);
}

interface GatewayRow {
  readonly name: string;
}

/**
 * The process ids of the other gateways that are connected. Every gateway holds one connection named
 * `workhook:<pid>:embedded` from its start to its stop, and calls its other connections `workhook:<pid>`; those of this
 * process do not count, except the held connections of other starts in it.
 */
export async function otherGateways(admin: pg.Client, isAlive: (pid: number) => boolean): Promise<number[]> {
  const { rows } = await admin.query<GatewayRow>(
    "SELECT DISTINCT application_name AS name FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND application_name LIKE 'workhook:%'",
  );
  const pids = rows.flatMap(({ name }) => {
    const [, pid, held] = /^workhook:(\d+)(:embedded)?/.exec(name) ?? [];
    const counts = pid !== undefined && (held !== undefined || Number(pid) !== process.pid) && isAlive(Number(pid));
    return counts ? [Number(pid)] : [];
  });
  return [...new Set(pids)];
}
