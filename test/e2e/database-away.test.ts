import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createClient } from 'graphql-ws';
import pg from 'pg';
import { WebSocket } from 'ws';
import {
  ADMIN_TOKEN,
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

/** Shuts our database: nobody gets in, and who was in is cut off. */
const shut = async (): Promise<void> => {
  const name = new URL(database.url).pathname.slice(1);
  await server.query(`alter database ${name} with allow_connections false`);
  await server.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name]);
};

const open = async (): Promise<void> => {
  await server.query(`alter database ${new URL(database.url).pathname.slice(1)} with allow_connections true`);
};

describe('a database that goes away', () => {
  it('is answered with 503 and Retry-After, and with 202 when it is back, by the same process', async () => {
    const unknown = webhook.url.replace(webhook.id, formatId('webhook', newUuidV7()));
    expect([await post(), await post('whsec_wrong'), await post('', unknown)].map(({ status }) => status)).toEqual([
      202, 401, 404,
    ]);
    await shut();
    const away = await post();
    expect(away).toMatchObject({ status: 503, code: 'STORAGE_UNAVAILABLE' });
    expect(Number(away.retryAfter)).toBeGreaterThan(0);
    // Nor is anybody turned away for good by what may not be so any more.
    expect(await post('whsec_wrong')).toMatchObject({ status: 503, code: 'STORAGE_UNAVAILABLE' });
    expect(await post(webhook.secret, unknown)).toMatchObject({ status: 503, code: 'STORAGE_UNAVAILABLE' });
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(503);
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);

    await open();
    await pollUntil('a 202', async () => ((await post()).status === 202 ? true : undefined));
    await pollUntil('readiness', async () =>
      (await fetch(`${gateway.url}/readyz`)).status === 200 ? true : undefined,
    );
    expect(() => process.kill(gateway.pid, 0)).not.toThrow();
  });

  it('ends no subscription, and lets one that begins meanwhile wait', async () => {
    const socketUrl = `${gateway.url.replace('http', 'ws')}/graphql`;
    const authorization = `Bearer ${ADMIN_TOKEN}`;
    const client = createClient({
      url: socketUrl,
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      connectionParams: { authorization },
    });
    const live = (query: string): AsyncIterator<{ data?: unknown; errors?: unknown }> =>
      client.iterate({ query, variables: { id: webhook.id } });
    try {
      const before = live('subscription ($id: ID) { statisticsUpdated(webhookId: $id) { total } }');
      const first = (await before.next()).value as { data: { statisticsUpdated: { total: number } } };
      await shut();
      const during = live('subscription ($id: ID) { callReceived(webhookId: $id) { webhook { id } } }');
      const received = during.next();
      const knocking = new WebSocket(socketUrl, 'graphql-transport-ws');
      await once(knocking, 'open');
      knocking.send(JSON.stringify({ type: 'connection_init', payload: { authorization } }));
      expect((await once(knocking, 'close'))[0]).toBe(1013);
      for (const accept of ['application/json', 'text/event-stream']) {
        const asked = await fetch(`${gateway.url}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', accept, authorization },
          body: JSON.stringify({
            query: accept === 'application/json' ? '{ version }' : 'subscription { callReceived { id } }',
          }),
        });
        expect([accept, asked.status, asked.headers.get('retry-after')]).toEqual([accept, 503, '2']);
        expect(await asked.json()).toMatchObject({
          errors: [
            { extensions: { code: 'INTERNAL_SERVER_ERROR', retryAfterMs: 2_000, requestId: expect.any(String) } },
          ],
        });
      }

      await open();
      let isTold = false;
      void received.then(() => (isTold = true));
      // Calls until it listens again, which nothing else tells.
      await pollUntil('what a subscription tells', async () => {
        await post();
        return isTold ? true : undefined;
      });
      expect((await received).value).toEqual({ data: { callReceived: { webhook: { id: webhook.id } } } });
      for (;;) {
        const value = (await before.next()).value as typeof first;
        if (value.data.statisticsUpdated.total > first.data.statisticsUpdated.total) break;
      }
    } finally {
      await open();
      await client.dispose();
    }
  });
});
