import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Endpoint, json, openEndpoint } from '../support/endpoint.js';
import {
  type CreatedWebhook,
  createWebhook,
  databaseEnv,
  type GatewayProcess,
  startGatewayProcess,
} from '../support/gateway-process.js';
import { pollUntil } from '../support/poll-until.js';
import { postCall } from '../support/post-call.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

interface CallBody {
  readonly results: readonly { readonly executionId: string; readonly success: boolean; readonly result?: unknown }[];
}

interface Payload {
  readonly connection?: { readonly id: string };
  readonly worker?: { readonly id: string };
  readonly userErrors: readonly unknown[];
}

let database: TestDatabase;
let endpoint: Endpoint;
let gateway: GatewayProcess;
let runner: GatewayProcess;

beforeAll(async () => {
  database = await createTestDatabase();
  endpoint = await openEndpoint();
  const env = { ...databaseEnv(database.url), OUTBOUND_ALLOWED_CIDRS: '127.0.0.1/32' };
  gateway = await startGatewayProcess({ env: { ...env, ROLES: 'ingress,admin' } });
  runner = await startGatewayProcess({ env: { ...env, ROLES: 'runner' } });
});

afterAll(async () => {
  await Promise.all([gateway.end('SIGTERM'), runner.end('SIGTERM')]);
  await endpoint.close();
  await database.drop();
});

beforeEach(() => endpoint.reset());

async function mutate(name: string, input: object): Promise<Payload> {
  const type = `${name[0]!.toUpperCase()}${name.slice(1)}Input!`;
  const entity = name.endsWith('Connection') ? 'connection' : 'worker';
  const document = `mutation ($input: ${type}) { ${name}(input: $input) { ${entity} { id } userErrors { field message } } }`;
  const data = await gateway.graphql<Record<string, Payload>>(document, { input });
  const payload = data[name]!;
  if (payload.userErrors.length > 0) throw new Error(JSON.stringify(payload.userErrors));
  return payload;
}

const connect = async (secret: string): Promise<string> =>
  (
    await mutate('createConnection', {
      name: 'ERP',
      baseUrl: `${endpoint.origin}/api/v1`,
      authentication: { kind: 'BEARER', secret },
      headers: { 'X-Tenant': '7' },
    })
  ).connection!.id;

async function webhookFor(worker: object): Promise<CreatedWebhook> {
  const { id } = (await mutate('createHttpWorker', { name: 'Order', ...worker })).worker!;
  const authentication = { method: 'SECRET_HEADER' };
  return await createWebhook(gateway, { workerIds: [id], executionMode: 'SYNC', syncTimeout: 'PT20S', authentication });
}

const execution = async (id: string) =>
  (
    await gateway.graphql<{ execution: { status: string; attempt: number; error: { code: string } } }>(
      'query ($id: ID!) { execution(id: $id) { status attempt error { code message retryable } } }',
      { id },
    )
  ).execution;

describe('a webhook with an HTTP worker', () => {
  it('calls a connection by templates and answers with the mapped result', async () => {
    endpoint.answer = json(200, { data: { order: { number: 'A-1', lines: [{ sku: 'x' }, { sku: 'y' }] } } });
    const webhook = await webhookFor({
      connectionId: await connect('first-credential'),
      method: 'PUT',
      url: '/customers/{{ input.customer.id }}/orders',
      query: { notify: '{{ input.notify }}', source: 'workhook' },
      headers: { 'X-Call': '{{ callId }}' },
      body: { number: '{{ input.number }}', lines: '{{ input.lines }}', note: 'From {{ input.customer.name }}' },
      successWhen: 'response.status == 200 and response.body.data.order',
      result: {
        number: '{{ response.body.data.order.number }}',
        count: '{{ response.body.data.order.lines | size }}',
        skus: '{{ response.body.data.order.lines | map: "sku" }}',
        status: '{{ response.status }}',
      },
    });
    const sent = {
      customer: { id: 'c/7?', name: '", "admin": true' },
      number: 12,
      notify: null,
      lines: [{ sku: 'x' }],
    };
    const { status, body } = await postCall<CallBody & { callId: string }>(webhook, JSON.stringify(sent));
    expect(status).toBe(200);
    expect(body.results[0]?.result).toEqual({ number: 'A-1', count: 2, skus: ['x', 'y'], status: 200 });
    expect(endpoint.received).toHaveLength(1);
    const [request] = endpoint.received;
    expect(request).toMatchObject({
      method: 'PUT',
      url: '/api/v1/customers/c%2F7%3F/orders?source=workhook',
      headers: {
        authorization: 'Bearer first-credential',
        'x-tenant': '7',
        'x-call': body.callId,
        'idempotency-key': `${body.results[0]?.executionId}:main`,
      },
    });
    expect(JSON.parse(request!.body)).toEqual({
      number: 12,
      lines: [{ sku: 'x' }],
      note: 'From ", "admin": true',
    });
    expect(gateway.logged() + runner.logged()).not.toContain('first-credential');
  });

  it('uses a new credential without a restart, in the process that runs it', async () => {
    const id = await connect('old-credential');
    const webhook = await webhookFor({ connectionId: id, url: '/orders' });
    await postCall(webhook, '{}');
    await mutate('updateConnection', { id, authentication: { kind: 'BEARER', secret: 'new-credential' } });
    await pollUntil('a request with the new credential', async () => {
      await postCall(webhook, '{}');
      return endpoint.received.at(-1)?.headers.authorization === 'Bearer new-credential' ? true : undefined;
    });
    expect(endpoint.received[0]?.headers.authorization).toBe('Bearer old-credential');
    await postCall(webhook, '{}');
    expect(endpoint.received.at(-1)?.headers.authorization).toBe('Bearer new-credential');
  });

  it('tries again when the endpoint asks for it, with the same key', async () => {
    const answers = [json(503, {}, { 'retry-after': '0' }), json(429, {}, { 'retry-after': '0' }), json(200, { n: 1 })];
    endpoint.answer = (response) => answers.shift()!(response);
    const webhook = await webhookFor({ url: `${endpoint.origin}/orders`, result: '{{ response.body.n }}' });
    const { status, body } = await postCall<CallBody>(webhook, '{}');
    expect(status).toBe(200);
    expect(body.results[0]).toMatchObject({ success: true, result: 1 });
    const { executionId } = body.results[0]!;
    expect(endpoint.received.map(({ headers }) => headers['idempotency-key'])).toEqual(
      Array(3).fill(`${executionId}:main`),
    );
    expect(await execution(executionId)).toMatchObject({ status: 'SUCCEEDED', attempt: 3 });
  });

  it('fails once, and is audited, when it leads inside', async () => {
    const webhook = await webhookFor({ url: 'http://[::ffff:7f00:2]/latest?token=hunter2' });
    const { status, body } = await postCall<CallBody>(webhook, '{}');
    expect(status).toBe(500);
    expect(await execution(body.results[0]!.executionId)).toMatchObject({
      status: 'FAILED',
      attempt: 1,
      error: { code: 'OUTBOUND_REFUSED', retryable: false },
    });
    const event = await pollUntil('the audit event', async () => {
      const { auditEvents } = await gateway.graphql<{ auditEvents: { nodes: { details: { origins: string[] } }[] } }>(
        '{ auditEvents(action: "outbound.refused") { nodes { details } } }',
      );
      return auditEvents.nodes[0];
    });
    expect(event.details).toEqual({ times: 1, origins: ['http://[::ffff:7f00:2]'] });
    expect(runner.logged()).not.toContain('hunter2');
  });

  it('fails once when the input has not what a template names, and sends nothing', async () => {
    const webhook = await webhookFor({ url: `${endpoint.origin}/orders/{{ input.id }}` });
    const { status, body } = await postCall<CallBody>(webhook, '{"other":"hunter2"}');
    expect(status).toBe(500);
    const failed = await execution(body.results[0]!.executionId);
    expect(failed).toMatchObject({ status: 'FAILED', attempt: 1, error: { code: 'TEMPLATE_FAILED' } });
    expect(JSON.stringify(failed)).toMatch(/url: .*input\.id/);
    expect(JSON.stringify(failed)).not.toContain('hunter2');
    expect(endpoint.received).toEqual([]);
  });
});
