import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

/** @param {string} path of a built module, below `dist` */
const built = (path) => import(new URL(`../../dist/${path}`, import.meta.url).href);

/** @type {typeof import('../../src/db/embedded/start-embedded-postgres.js')} */
const { startEmbeddedPostgres } = await built('src/db/embedded/start-embedded-postgres.js');
/** @type {typeof import('../../src/db/database.js')} */
const { openDatabase } = await built('src/db/database.js');
/** @type {typeof import('../../src/db/migrator.js')} */
const { migrate } = await built('src/db/migrator.js');
/** @type {typeof import('../../src/entities.js')} */
const { ENTITIES } = await built('src/entities.js');
/** @type {typeof import('../../src/lib/logger.js')} */
const { createLogger } = await built('src/lib/logger.js');

/** Where the workers find the server, and the name of the migrated database that they clone. */
const URL_VARIABLE = 'WORKHOOK_TEST_SERVER_URL';
const TEMPLATE = 'workhook_template';

/** @type {{ dataDir: string, stop: () => Promise<void> } | undefined} */
let server;

/** @type {Promise<void> | undefined} */
let stopping;

/** Starts the PostgreSQL of this run of Jest, with the settings of the real one, and migrates the template. */
export async function startTestServer() {
  const dataDir = await mkdtemp(join(tmpdir(), 'workhook-test-'));
  const postgres = await startEmbeddedPostgres({ dataDir, log: () => undefined });
  server = { dataDir, stop: () => postgres.stop() };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    // Stays in place: a terminal and npm both pass a signal on, and the second must not end the stop of the first.
    process.on(signal, () => void stopTestServer({ interrupted: true }).finally(() => void process.exit(1)));
  }
  process.env[URL_VARIABLE] = postgres.url;
  await makeTemplate(postgres.url);
}

/** Stops the server; its folder stays when a failed test has kept its database, but not after an interruption. */
export function stopTestServer({ interrupted = false } = {}) {
  return (stopping ??= stopServer(interrupted));
}

/** @param {boolean} interrupted */
async function stopServer(interrupted) {
  if (server === undefined) return;
  const { dataDir, stop } = server;
  /** @type {string[]} */
  let kept = [];
  try {
    if (!interrupted) kept = await keptDatabases();
  } finally {
    await stop();
  }
  if (kept.length === 0) await rm(dataDir, { recursive: true, force: true });
  else console.error(`Databases of failed tests (${kept.join(', ')}) are kept in ${dataDir}.`);
}

/** @param {string} url of the server's first database */
async function makeTemplate(url) {
  await withClient((client) => client.query(`create database ${TEMPLATE}`));
  const templateUrl = new URL(url);
  templateUrl.pathname = `/${TEMPLATE}`;
  const database = await openDatabase({
    url: templateUrl.href,
    entities: ENTITIES,
    poolSize: 4,
    log: createLogger('warn'),
  });
  try {
    await migrate(database);
  } finally {
    await database.close();
  }
}

/** A test file that ended before it could drop its database counts as one that failed. */
async function keptDatabases() {
  const { rows } = await withClient((client) =>
    client.query("select datname from pg_database where datname like 'test\\_%'"),
  );
  return rows.map((row) => String(row.datname));
}

/**
 * @template T
 * @param {(client: pg.Client) => Promise<T>} work
 */
async function withClient(work) {
  const client = new pg.Client({ connectionString: process.env[URL_VARIABLE] });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
