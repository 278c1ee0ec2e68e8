import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createClient } from 'graphql-ws';
import pg from 'pg';
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

  it('take what a mutation has let in as soon as it is answered, though they have not heard of it', async () => {
    const webhook = await createWebhook(admin, { authentication: { method: 'SECRET_HEADER' }, active: false });
    const url = webhook.url.replace(admin.url, ingress.url);
    const change = (mutation: string): Promise<unknown> =>
      admin.graphql(`mutation ($id: ID!) { ${mutation} { userErrors { code } } }`, webhook);
    const statusOf = async (body: string, secret = webhook.secret): Promise<number> =>
      (await post(url, secret, body)).status;
    expect(await statusOf('{}')).toBe(403);
    const sql = new pg.Client({ connectionString: database.url });
    await sql.connect();
    const { rows } = await sql.query<{ pid: number }>(
      "select pid from pg_stat_activity where datname = current_database() and query ilike 'listen %'",
    );
    expect(rows.length).toBeGreaterThanOrEqual(3);
    await sql.end();
    for (const { pid } of rows) process.kill(pid, 'SIGSTOP'); // PostgreSQL's ends of the event connections
    try {
      await change('activateWebhook(input: { id: $id })');
      expect(await statusOf('{}')).toBe(202);
      await change('updateWebhook(input: { id: $id, filter: "input.wanted", bodyBytesMax: 20 })');
      expect(await statusOf('{"wanted":false}')).toBe(200);
      expect(await statusOf('{"wanted":true,"more":1}')).toBe(413);
      await change('updateWebhook(input: { id: $id, filter: null, bodyBytesMax: 30, allowedCidrs: ["192.0.2.1"] })');
      expect(await statusOf('{"wanted":true,"more":1}')).toBe(403);
      await change('updateWebhook(input: { id: $id, allowedCidrs: null })');
      expect(await statusOf('{"wanted":true,"more":1}')).toBe(202);
      const { regenerateWebhookSecret } = await admin.graphql<{ regenerateWebhookSecret: { secret: string } }>(
        'mutation ($id: ID!) { regenerateWebhookSecret(input: { id: $id }) { secret } }',
        webhook,
      );
      expect(await statusOf('{}')).toBe(401);
      expect(await statusOf('{}', regenerateWebhookSecret.secret)).toBe(202);
      await change('deactivateWebhook(input: { id: $id })');
      expect(await statusOf('{}', regenerateWebhookSecret.secret)).toBe(403);
    } finally {
      for (const { pid } of rows) process.kill(pid, 'SIGCONT');
    }
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
