import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import {
  type CreatedWebhook,
  createWebhook,
  databaseEnv,
  type GatewayProcess,
  startGatewayProcess,
} from '../support/gateway-process.js';
import { formatId, newUuidV7 } from '../../src/lib/ids.js';
import { pollUntil } from '../support/poll-until.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

let database: TestDatabase;
let gateway: GatewayProcess;
let webhook: CreatedWebhook;
/** A connection to another database of the same server, from which ours can be shut. */
let server: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  gateway = await startGatewayProcess({ env: { ...databaseEnv(database.url), LOG_LEVEL: 'silent' } });
  webhook = await createWebhook(gateway, { authentication: { method: 'SECRET_HEADER' } });
  const url = new URL(database.url);
  url.pathname = '/postgres';
  server = new pg.Client({ connectionString: url.href });
  await server.connect();
});

afterAll(async () => {
  await server.end();
  await gateway.end('SIGTERM');
  await database.drop();
});

const post = async (
  secret = webhook.secret,
  url = webhook.url,
): Promise<{ status: number; retryAfter: string | null; code: unknown }> => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-webhook-secret': secret },
    body: '{}',
  });
  const { code } = (await response.json()) as { code?: string };
  return { status: response.status, retryAfter: response.headers.get('retry-after'), code };
};

describe('a database that goes away', () => {
  it('is answered with 503 and Retry-After, and with 202 when it is back, by the same process', async () => {
    const unknown = webhook.url.replace(webhook.id, formatId('webhook', newUuidV7()));
    expect([await post(), await post('whsec_wrong'), await post('', unknown)].map(({ status }) => status)).toEqual([
      202, 401, 404,
    ]);
    const name = new URL(database.url).pathname.slice(1);
    await server.query(`alter database ${name} with allow_connections false`);
    await server.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name]);
    const away = await post();
    expect(away).toMatchObject({ status: 503, code: 'STORAGE_UNAVAILABLE' });
    expect(Number(away.retryAfter)).toBeGreaterThan(0);
    // Nor is anybody turned away for good by what may not be so any more.
    expect(await post('whsec_wrong')).toMatchObject({ status: 503, code: 'STORAGE_UNAVAILABLE' });
    expect(await post(webhook.secret, unknown)).toMatchObject({ status: 503, code: 'STORAGE_UNAVAILABLE' });
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(503);
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);

    await server.query(`alter database ${name} with allow_connections true`);
    await pollUntil('a 202', async () => ((await post()).status === 202 ? true : undefined));
    await pollUntil('readiness', async () =>
      (await fetch(`${gateway.url}/readyz`)).status === 200 ? true : undefined,
    );
    expect(() => process.kill(gateway.pid, 0)).not.toThrow();
  });
});
