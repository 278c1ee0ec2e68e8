import { randomBytes } from 'node:crypto';
import pg from 'pg';

/** One test file's own PostgreSQL database, migrated and empty. */
export interface TestDatabase {
  readonly url: string;
  /** To be called in `afterAll`, when everything that uses the database is closed. Keeps it if a test failed. */
  drop(): Promise<void>;
}

/** The database that the run's set-up has migrated. */
const TEMPLATE = 'workhook_template';

/** https://www.postgresql.org/docs/18/errcodes-appendix.html */
const OBJECT_IN_USE = '55006';

/** Clones the migrated template; takes some 50 ms, so that each test file can have its own. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await onServer(`create database ${name} template ${TEMPLATE}`);
  const url = new URL(serverUrl());
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: async () => {
      if (hasFailed()) console.error(`A test failed: the database ${name} is kept.`);
      else await dropDatabase(name);
    },
  };
}

/** Waits for closing connections (PostgreSQL gives them 5 s), then ends those that a killed process left. */
async function dropDatabase(name: string): Promise<void> {
  try {
    await onServer(`drop database ${name}`);
  } catch (error) {
    if (!(error instanceof pg.DatabaseError && error.code === OBJECT_IN_USE)) throw error;
    await onServer(`drop database ${name} with (force)`);
  }
}

function serverUrl(): string {
  const url = process.env['WORKHOOK_TEST_SERVER_URL'];
  if (url === undefined) {
    throw new Error('There is no test server: a test that needs one belongs in test/integration, e2e or chaos.');
  }
  return url;
}

/** Set by the test environment (database-environment.mjs) at the first failure in this file. */
function hasFailed(): boolean {
  return 'workhookTestFailed' in globalThis;
}

async function onServer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl() });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
