import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import {
  ADMIN_TOKEN,
  createWebhook,
  databaseEnv,
  type GatewayProcess,
  startGatewayProcess,
} from '../support/gateway-process.js';
import { pollUntil } from '../support/poll-until.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

let database: TestDatabase;
let ingress: GatewayProcess;
let admin: GatewayProcess;
let runner: GatewayProcess;

beforeAll(async () => {
  database = await createTestDatabase();
  const start = (ROLES: string): Promise<GatewayProcess> =>
    startGatewayProcess({ env: { ...databaseEnv(database.url), ROLES } });
  admin = await start('admin');
  [ingress, runner] = await Promise.all([start('ingress'), start('runner')]);
});

afterAll(async () => {
  await Promise.all([ingress, admin, runner].map((gateway) => gateway.end('SIGTERM')));
  await database.drop();
});

const post = (url: string, secret: string, body: string): Promise<Response> =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', 'x-webhook-secret': secret }, body });

describe('ingress, admin and runner in processes of their own', () => {
  it('answer a sync call together', async () => {
    const webhook = await createWebhook(admin, { executionMode: 'SYNC', authentication: { method: 'SECRET_HEADER' } });
    const url = webhook.url.replace(admin.url, ingress.url);
    const response = await post(url, webhook.secret, '{"a":1}');
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ results: [{ result: { a: 1 } }] });
  });

  it('have only the routes of their roles', async () => {
    const webhook = await createWebhook(admin, { authentication: { method: 'SECRET_HEADER' } });
    expect((await post(webhook.url, webhook.secret, '{}')).status).toBe(404);
    expect((await fetch(`${ingress.url}/graphql`, { method: 'POST' })).status).toBe(404);
    for (const gateway of [ingress, admin, runner]) expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
  });

  it('forget a regenerated secret everywhere before it is answered', async () => {
    const webhook = await createWebhook(admin, { authentication: { method: 'SECRET_HEADER' } });
    const url = webhook.url.replace(admin.url, ingress.url);
    expect((await post(url, webhook.secret, '{}')).status).toBe(202);
    await admin.graphql('mutation ($id: ID!) { regenerateWebhookSecret(input: { id: $id }) { secret } }', webhook);
    expect((await post(url, webhook.secret, '{}')).status).toBe(401);
  });

  it('deliver an execution to a subscription that was opened before the call', async () => {
    const webhook = await createWebhook(admin, { authentication: { method: 'SECRET_HEADER' } });
    const client = createClient({
      url: `${admin.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${ADMIN_TOKEN}` },
      lazy: false,
      retryAttempts: 0,
    });
    try {
      const calls = client.iterate<{ callReceived: { id: string; executions: { id: string }[] } }>({
        query: 'subscription ($id: ID!) { callReceived(webhookId: $id) { id executions { id } } }',
        variables: { id: webhook.id },
      });
      let received: { callReceived: { executions: { id: string }[] } } | undefined;
      void calls.next().then(({ value }) => (received = value.data));
      const url = webhook.url.replace(admin.url, ingress.url);
      // The protocol has no word for "subscribed": calls are sent until one is heard of.
      const { callReceived } = await pollUntil('a call on the subscription', async () => {
        if (received === undefined) await post(url, webhook.secret, '{"live":true}');
        return received;
      });
      const executionId = callReceived.executions[0]!.id;

      const statuses: string[] = [];
      for await (const { data } of client.iterate<{ executionEvents: { status: string } }>({
        query:
          'subscription ($id: ID!) { executionEvents(executionId: $id) { ... on ExecutionStatusChanged { status } } }',
        variables: { id: executionId },
      })) {
        statuses.push(data!.executionEvents.status);
      }
      expect(statuses).toEqual(['QUEUED', 'RUNNING', 'SUCCEEDED']);
    } finally {
      await client.dispose();
    }
  });
});
