import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { SEALED_PLACES } from '../../src/app/sealed-places.js';
import { openCallbackReceiver, status } from '../support/callback-receiver.js';
import { queryOnce } from '../support/embedded-postgres.js';
import {
  createWebhook,
  databaseEnv,
  type GatewayProcess,
  runGatewayCommand,
  startGatewayProcess,
} from '../support/gateway-process.js';
import { pollUntil } from '../support/poll-until.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const key = (id: string): string => `${id}:${Buffer.alloc(32, id).toString('base64')}`;
const keys = (...ids: string[]): Record<string, string> => ({ ENCRYPTION_KEYS: ids.map(key).join(',') });

let database: TestDatabase;
let gateway: GatewayProcess | undefined;

beforeAll(async () => {
  database = await createTestDatabase();
});

afterEach(async () => {
  await gateway?.end('SIGTERM');
  gateway = undefined;
});

afterAll(() => database.drop());

const env = (...ids: string[]): Record<string, string> => ({ ...databaseEnv(database.url), ...keys(...ids) });

const start = async (...ids: string[]): Promise<GatewayProcess> => {
  gateway = await startGatewayProcess({ env: env(...ids) });
  return gateway;
};

/** What is sealed: one text in each of the places. */
async function sealEverywhere(): Promise<{ readonly url: string; readonly secret: string; readonly id: string }> {
  const webhook = await createWebhook(gateway!, {
    executionMode: 'SYNC',
    authentication: { method: 'SECRET_HEADER' },
    callbackUrl: 'https://receiver.example/done',
  });
  await gateway!.graphql(`mutation {
    createConnection(input: { name: "c", baseUrl: "https://api.example", headers: { authorization: "x" } }) { userErrors { message } }
    createModel(input: { name: "m", provider: OPENAI, modelName: "gpt", apiKey: "sk-for-the-test-0123456789" }) { userErrors { message } }
    createHttpWorker(input: { name: "h", url: "https://worker.example/", headers: { authorization: "y" } }) { userErrors { message } }
  }`);
  return webhook;
}

describe('a change of the encryption keys', () => {
  it('reaches everything that is sealed, while the gateway runs, and lets the old key go', async () => {
    await start('k1');
    const webhook = await sealEverywhere();
    await gateway!.end('SIGTERM');

    await start('k2', 'k1'); // from now on k2 seals
    const rewrapped = await runGatewayCommand(['rewrap'], env('k2', 'k1'));
    expect(rewrapped).toMatchObject({ code: 0, stderr: '' });
    // Secrets of two webhooks (one is the example), a callback's, a connection, a model, two parts of an HTTP worker, the root of derived keys.
    expect(rewrapped.stdout).toContain('8 sealed texts are under the key "k2"; 8 of them were not before.');
    expect(rewrapped.stdout).toContain('The key "k1" seals nothing any more');
    const post = (secret: string): Promise<Response> =>
      fetch(webhook.url.replace(/^http:\/\/[^/]+/, gateway!.url), {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-webhook-secret': secret },
        body: '{"a":1}',
      });
    expect((await post(webhook.secret)).status).toBe(200);
    expect((await runGatewayCommand(['rewrap'], env('k2', 'k1'))).stdout).toContain('0 of them were not before');
    await gateway!.end('SIGTERM');

    await start('k2');
    expect((await post(webhook.secret)).status).toBe(200);
    expect((await post('wrong')).status).toBe(401);
    const { revealWebhookSecret } = await gateway!.graphql<{ revealWebhookSecret: { secret: string } }>(
      'mutation ($id: ID!) { revealWebhookSecret(input: { id: $id }) { secret } }',
      { id: webhook.id },
    );
    expect(revealWebhookSecret.secret).toBe(webhook.secret);
    await gateway!.end('SIGTERM');

    const old = await runGatewayCommand(['migrate'], env('k1'));
    expect(old).toMatchObject({ code: 1, stderr: expect.stringContaining('"k2" sealed secrets') });
  });

  it('begun in one process first: the others say so, and leave what they cannot open to it', async () => {
    const own = await createTestDatabase();
    const receiver = await openCallbackReceiver();
    receiver.replyWith(status(200, { 'content-type': 'application/json' }, '{}'));
    const more = { ...databaseEnv(own.url), OUTBOUND_ALLOWED_CIDRS: '127.0.0.0/8' };
    const before = await startGatewayProcess({ env: { ...more, ...keys('k1') } });
    const first = await startGatewayProcess({ env: { ...more, ...keys('k2', 'k1') } });
    try {
      const { createHttpWorker } = await first.graphql<{ createHttpWorker: { worker: { id: string } } }>(
        `mutation ($url: String!) { createHttpWorker(input: {
           name: "h", url: $url, attemptsMax: 1, headers: { authorization: "y" } }) { worker { id } } }`,
        { url: `${receiver.url}/work` },
      );
      const ready = await fetch(`${before.url}/readyz`);
      expect([ready.status, await ready.json()]).toEqual([
        503,
        { status: 'not ready', reasons: ['The encryption key "k2" is not set here.'] },
      ]);
      expect((await fetch(`${first.url}/readyz`)).status).toBe(200);
      for (let n = 0; n < 8; n += 1) {
        await before.graphql(
          'mutation ($id: ID!, $n: JSON!) { runWorker(input: { workerId: $id, input: $n }) { userErrors { message } } }',
          { id: createHttpWorker.worker.id, n: { n } },
        );
      }
      await pollUntil('the end of all', async () => {
        const { worker } = await first.graphql<{ worker: { executions: { nodes: { status: string }[] } } }>(
          'query ($id: ID!) { worker(id: $id) { executions { nodes { status } } } }',
          { id: createHttpWorker.worker.id },
        );
        const ended = worker.executions.nodes.filter(({ status: is }) => is === 'SUCCEEDED' || is === 'FAILED');
        expect(ended.filter(({ status: is }) => is === 'FAILED')).toEqual([]);
        return ended.length === 8 ? true : undefined;
      });
    } finally {
      await Promise.all([before.end('SIGTERM'), first.end('SIGTERM')]);
      await receiver.close();
      await own.drop();
    }
  });

  it('knows every column in which something is sealed', async () => {
    const found = (await queryOnce(
      database.url,
      `select table_name || '.' || column_name as place from information_schema.columns c join pg_class t
         on t.relname = c.table_name and t.relkind = 'r'
       where table_schema = 'public' and column_name like '%sealed%' order by 1`,
    )) as { place: string }[];
    const named = SEALED_PLACES.map(({ table, column }) => `${table}.${column}`);
    expect(found.length).toBeGreaterThan(3);
    expect(named).toEqual(expect.arrayContaining(found.map(({ place }) => place)));
  });
});
