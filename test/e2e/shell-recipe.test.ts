import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createWebhook, databaseEnv, type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { readPage, textsOf } from '../support/page.js';
import { runScript } from '../support/shell.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

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
  const commands = textsOf(await readPage('README.md'), 'sh');
  const recipe = commands.find((command) => command.startsWith('BODY=') && command.includes('openssl dgst'));
  if (recipe === undefined) throw new Error('the README has no openssl recipe');
  return recipe;
}

describe('the shell recipe of the README', () => {
  it('is accepted', async () => {
    const { url, secret } = await createWebhook(gateway, { executionMode: 'SYNC' });
    const printed = await runScript(await readmeRecipe(), { WEBHOOK_URL: url, WEBHOOK_SECRET: secret });
    expect(JSON.parse(printed)).toMatchObject({
      success: true,
      results: [{ result: { event: 'order.created', id: 1 } }],
    });
  });

  it('is refused with another secret', async () => {
    const { url } = await createWebhook(gateway);
    const printed = await runScript(await readmeRecipe(), { WEBHOOK_URL: url, WEBHOOK_SECRET: 'whsec_other' });
    expect(JSON.parse(printed)).toMatchObject({ success: false, status: 401 });
  });
});

describe('the curl command that the API gives', () => {
  it.each(['SECRET_HEADER', 'HMAC_SIGNATURE', 'BEARER_TOKEN', 'API_KEY'])(
    'works as it stands for %s',
    async (method) => {
      const { curl } = await createWebhook(gateway, { executionMode: 'SYNC', authentication: { method } });
      expect(JSON.parse(await runScript(curl))).toMatchObject({ success: true, executionMode: 'sync' });
    },
  );
});
