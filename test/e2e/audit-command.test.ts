import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { queryOnce } from '../support/embedded-postgres.js';
import { databaseEnv, runGatewayCommand } from '../support/gateway-process.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});

afterAll(() => database.drop());

it('says that the log is whole, and which event was changed', async () => {
  const env = databaseEnv(database.url);
  const made = await runGatewayCommand(['token', 'ci'], env); // makes the owner, and two events more
  expect(made.code).toBe(0);
  const whole = await runGatewayCommand(['audit'], env);
  expect(whole).toMatchObject({ code: 0, stderr: '' });
  expect(whole.stdout).toMatch(/whole: 3 events\. The newest has the hash [0-9a-f]{64}\./);

  await queryOnce(
    database.url,
    `alter table audit_events disable trigger user;
     update audit_events set details = '{"name":"other"}' where seq = 2;
     alter table audit_events enable trigger user`,
  );
  const changed = await runGatewayCommand(['audit'], env);
  expect(changed).toMatchObject({ code: 1, stdout: '' });
  expect(changed.stderr).toContain('event 2 does not fit');
});
