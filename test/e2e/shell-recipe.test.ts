import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createWebhook, databaseEnv, type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const run = promisify(execFile);

let database: TestDatabase;
let gateway: GatewayProcess;

beforeAll(async () => {
  database = await createTestDatabase();
  gateway = await startGatewayProcess({ env: databaseEnv(database.url) });
});

afterAll(async () => {
  await gateway.end('SIGTERM');
  await database.drop();
});

/** The command of the README, as it stands there. */
async function readmeRecipe(): Promise<string> {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const recipe = /```sh\n(BODY=[\s\S]*?openssl dgst[\s\S]*?)```/.exec(readme)?.[1];
  if (recipe === undefined) throw new Error('the README has no openssl recipe');
  return recipe;
}

describe('the shell recipe of the README', () => {
  it('is accepted', async () => {
    const { url, secret } = await createWebhook(gateway, { executionMode: 'SYNC' });
    const { stdout } = await run('sh', ['-c', await readmeRecipe()], {
      env: { PATH: process.env['PATH'], WEBHOOK_URL: url, WEBHOOK_SECRET: secret },
    });
    expect(JSON.parse(stdout)).toMatchObject({
      success: true,
      results: [{ result: { event: 'order.created', id: 1 } }],
    });
  });

  it('is refused with another secret', async () => {
    const { url } = await createWebhook(gateway);
    const { stdout } = await run('sh', ['-c', await readmeRecipe()], {
      env: { PATH: process.env['PATH'], WEBHOOK_URL: url, WEBHOOK_SECRET: 'whsec_other' },
    });
    expect(JSON.parse(stdout)).toMatchObject({ success: false, status: 401 });
  });
});

describe('the curl command that the API gives', () => {
  it.each(['SECRET_HEADER', 'HMAC_SIGNATURE', 'BEARER_TOKEN', 'API_KEY'])(
    'works as it stands for %s',
    async (method) => {
      const { curl } = await createWebhook(gateway, { executionMode: 'SYNC', authentication: { method } });
      const { stdout } = await run('sh', ['-c', curl], { env: { PATH: process.env['PATH'] } });
      expect(JSON.parse(stdout)).toMatchObject({ success: true, executionMode: 'sync' });
    },
  );
});
