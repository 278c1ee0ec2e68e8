import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type CreatedWebhook,
  createWebhook,
  databaseEnv,
  type GatewayProcess,
  startGatewayProcess,
  type WebhookInput,
} from '../support/gateway-process.js';
import { pollUntil } from '../support/poll-until.js';
import { postCall } from '../support/post-call.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

let database: TestDatabase;
let gateway: GatewayProcess;

beforeAll(async () => {
  database = await createTestDatabase();
  gateway = await startGatewayProcess({
    env: { ...databaseEnv(database.url), WORKERS_DIR: 'test/support/workers', BODY_BYTES_MAX: '2000' },
  });
});

afterAll(async () => {
  await gateway.end('SIGTERM');
  await database.drop();
});

const create = (input: WebhookInput = {}): Promise<CreatedWebhook> =>
  createWebhook(gateway, { authentication: { method: 'SECRET_HEADER' }, ...input });

interface AnswerBody {
  success: boolean;
  webhookId: string;
  callId?: string;
  timestamp: string;
  executionMode?: string;
  code?: string;
  policy?: string;
  error?: string;
  errors?: { pointer: string }[];
  results?: { workerId: string; executionId: string; success: boolean; result?: unknown; error?: string }[];
}

const post = postCall<AnswerBody>;

describe('a call is answered', () => {
  it('200 when every worker succeeded, with their results in the given order', async () => {
    const webhook = await create({ executionMode: 'SYNC', workerIds: ['worker-slow-echo', 'worker-echo'] });
    const { status, body } = await post(webhook, '{"a":1}');
    expect(status).toBe(200);
    expect(Object.keys(body).slice(0, 5)).toEqual(['success', 'webhookId', 'timestamp', 'executionMode', 'results']);
    expect(body).toMatchObject({
      success: true,
      webhookId: webhook.id,
      executionMode: 'sync',
      results: [
        { workerId: 'worker-slow-echo', success: true, result: { a: 1 } },
        { workerId: 'worker-echo', success: true, result: { a: 1 } },
      ],
    });
    expect(new Date(body.timestamp).toISOString()).toBe(body.timestamp);
  });

  it('202 at once in async mode, with where to look', async () => {
    const { status, headers, body } = await post(await create(), '{"a":1}');
    expect(status).toBe(202);
    expect(headers.get('retry-after')).toBe('1');
    expect(body).toMatchObject({ success: true, executionMode: 'async', results: [{ workerId: 'worker-echo' }] });
    expect(headers.get('location')).toContain(`/api/v1/executions/${body.results![0]!.executionId}?`);
  });

  it('202 at the deadline in sync mode, and the work goes on', async () => {
    const webhook = await create({ executionMode: 'SYNC', workerIds: ['worker-slow-echo'], syncTimeout: 'PT0.05S' });
    const { status, headers, body } = await post(webhook, '{"delayMs":300}');
    expect(status).toBe(202);
    expect(body).toMatchObject({ success: true, executionMode: 'sync' });
    const result = await fetch(new URL(headers.get('location')!, gateway.url));
    expect(result.status).toBe(200);
    expect(['QUEUED', 'RUNNING', 'SUCCEEDED']).toContain(((await result.json()) as { status: string }).status);
  });

  it('and the call remembers with what', async () => {
    const answers = [
      await post(await create(), '{}'),
      await post(await create({ executionMode: 'SYNC' }), '{}'),
      await post(await create({ executionMode: 'SYNC', workerIds: ['worker-failing'] }), '{}'),
      await post(
        await create({ executionMode: 'SYNC', workerIds: ['worker-slow-echo'], syncTimeout: 'PT0.05S' }),
        '{"delayMs":300}',
      ),
    ];
    for (const { status, body } of answers) {
      const remembered = await pollUntil('the end of the call', async () => {
        const { call } = await gateway.graphql<{ call: { outcome: string; httpStatus: number | null } }>(
          'query ($id: ID!) { call(id: $id) { outcome httpStatus } }',
          { id: body.callId },
        );
        return call.outcome === 'ACCEPTED' ? undefined : call.httpStatus;
      });
      expect(remembered).toBe(status);
    }
    expect(answers.map((answer) => answer.status)).toEqual([202, 200, 500, 202]);
  });

  it('500 when a worker failed, with every result', async () => {
    const webhook = await create({ executionMode: 'SYNC', workerIds: ['worker-echo', 'worker-failing'] });
    const { status, body } = await post(webhook, '{"a":1}');
    expect(status).toBe(500);
    expect(body).toMatchObject({
      success: false,
      results: [
        { workerId: 'worker-echo', success: true, result: { a: 1 } },
        { workerId: 'worker-failing', success: false, error: 'It always fails.' },
      ],
    });
  });

  it('500 in sequence, the rest skipped after the first failure', async () => {
    const webhook = await create({
      executionMode: 'SYNC',
      dispatch: 'SEQUENTIAL',
      workerIds: ['worker-echo', 'worker-failing', 'worker-quick-echo'],
    });
    const { status, body } = await post(webhook, '{"a":1}');
    expect(status).toBe(500);
    expect(body.results!.map((result) => result.success)).toEqual([true, false, false]);
    expect(body.results![2]!.error).toContain('Skipped');
  });

  it.each([
    ['', 'the body is empty'],
    ['{"a":', 'not well-formed'],
    ['[1]', 'JSON object'],
    ['"text"', 'JSON object'],
  ])('400 for the body %j', async (text, reason) => {
    const { status, body } = await post(await create(), text);
    expect(status).toBe(400);
    expect(body).toMatchObject({ success: false, code: 'MALFORMED_BODY' });
    expect(body.error!.toLowerCase()).toContain(reason.toLowerCase());
  });

  it("400 for a body that does not fit a worker's schema, before anything is stored", async () => {
    const webhook = await create({ workerIds: ['worker-echo', 'worker-strict'] });
    const { status, body } = await post(webhook, '{"amount":-1}');
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: 'INVALID_INPUT', errors: [{ workerId: 'worker-strict', pointer: '/amount' }] });
  });

  it('400 for a malformed webhook id, 404 for an unknown one', async () => {
    const webhook = await create();
    const malformed = await post({ ...webhook, url: `${webhook.url}x` }, '{}');
    expect([malformed.status, malformed.body.code]).toEqual([400, 'MALFORMED_WEBHOOK_ID']);
    const unknown = await post({ ...webhook, url: webhook.url.replace(/.{4}$/, '0000') }, '{}');
    expect([unknown.status, unknown.body.code]).toEqual([404, 'WEBHOOK_NOT_FOUND']);
  });

  it('401 with one text for every reason', async () => {
    const webhook = await create();
    const wrong = await post({ ...webhook, secret: 'whsec_wrong' }, '{}');
    const missing = await post(webhook, '{}', { 'x-webhook-secret': '' });
    expect([wrong.status, missing.status]).toEqual([401, 401]);
    expect(wrong.body.error).toBe(missing.body.error);
  });

  it('403 when inactive, but only to who knows the secret; 404 once it is deleted', async () => {
    const webhook = await create();
    await gateway.graphql(
      'mutation ($id: ID!) { deactivateWebhook(input: { id: $id }) { userErrors { code } } }',
      webhook,
    );
    expect((await post(webhook, '{}')).status).toBe(403);
    expect((await post({ ...webhook, secret: 'whsec_wrong' }, '{}')).status).toBe(401);
    await gateway.graphql(
      'mutation ($id: ID!) { activateWebhook(input: { id: $id }) { userErrors { code } } }',
      webhook,
    );
    expect((await post(webhook, '{}')).status).toBe(202);
    await gateway.graphql('mutation ($id: ID!) { deleteWebhook(input: { id: $id }) { userErrors { code } } }', webhook);
    expect((await post(webhook, '{}')).status).toBe(404);
  });

  it('405 for another method, with Allow', async () => {
    const response = await fetch((await create()).url);
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
  });

  it('413 for a body over the limit', async () => {
    const { status, body } = await post(await create(), JSON.stringify({ text: 'x'.repeat(2_000) }));
    expect([status, body.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  });

  it.each([
    ['another type', 'content-type', 'text/plain'],
    ['an encoding', 'content-encoding', 'gzip'],
    ['another charset', 'content-type', 'application/json; charset=latin1'],
  ])('415 for %s', async (_, header, value) => {
    const { status, body } = await post(await create(), '{}', { [header]: value });
    expect([status, body.code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
  });

  it('202 for application/*+json', async () => {
    const { status } = await post(await create(), '{}', {
      'content-type': 'application/cloudevents+json; charset=UTF-8',
    });
    expect(status).toBe(202);
  });

  it('429 past a limit, saying which one and until when', async () => {
    const webhook = await create();
    await gateway.graphql(
      `mutation ($id: ID!) { setRateLimit(input: { scope: WEBHOOK, subjectId: $id, perMinute: 2 }) { userErrors { message } } }`,
      webhook,
    );
    // The change is heard of a moment after it is committed; from then on two calls a minute are let through.
    const { headers, body } = await pollUntil('a refusal', async () => {
      const answer = await post(webhook, '{}');
      return answer.status === 429 ? answer : undefined;
    });
    expect(body).toMatchObject({ code: 'RATE_LIMITED', policy: 'webhook' });
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(headers.get('ratelimit-policy')).toBe('"webhook";q=2;w=60');
    expect(headers.get('ratelimit')).toMatch(/^"webhook";r=0;t=\d+$/);
  });
});

describe('the five methods', () => {
  it.each([
    ['SECRET_HEADER', {}, 'X-Webhook-Secret', ''],
    ['BEARER_TOKEN', {}, 'Authorization', 'Bearer '],
    ['API_KEY', {}, 'X-API-Key', ''],
    ['CUSTOM_HEADER', { headerName: 'X-Shop-Token', headerPrefix: 'shop ' }, 'X-Shop-Token', 'shop '],
    ['SECRET_HEADER', { headerName: 'X-Mine' }, 'X-Mine', ''],
    ['API_KEY', { headerPrefix: 'Key ' }, 'X-API-Key', 'Key '],
  ])('%s with %j', async (method, names, header, prefix) => {
    const webhook = await create({ authentication: { method, ...names } });
    const withSecret = (secret: string): ReturnType<typeof post> =>
      post({ ...webhook, secret: '' }, '{}', { [header.toLowerCase()]: prefix + secret });
    expect((await withSecret(webhook.secret)).status).toBe(202);
    expect((await withSecret(`${webhook.secret}x`)).status).toBe(401);
  });

  it("takes the user's own secret", async () => {
    const secret = 'a secret of the sender, 32 characters';
    const webhook = await create({ authentication: { method: 'SECRET_HEADER', secret } });
    expect((await post({ ...webhook, secret }, '{}')).status).toBe(202);
  });
});

describe('a secret that was replaced', () => {
  const rotate = (id: string, overlap: string): Promise<{ rotateWebhookSecret: { secret: string } }> =>
    gateway.graphql(
      `mutation ($id: ID!, $overlap: Duration) {
        rotateWebhookSecret(input: { id: $id, overlap: $overlap }) { secret userErrors { message } }
      }`,
      { id, overlap },
    );

  it('is accepted beside the new one during the overlap', async () => {
    const webhook = await create();
    const { secret } = (await rotate(webhook.id, 'PT1H')).rotateWebhookSecret;
    expect((await post(webhook, '{}')).status).toBe(202);
    expect((await post({ ...webhook, secret }, '{}')).status).toBe(202);
  });

  it('is refused from the moment that regenerating has answered', async () => {
    const webhook = await create();
    expect((await post(webhook, '{}')).status).toBe(202);
    const { regenerateWebhookSecret } = await gateway.graphql<{ regenerateWebhookSecret: { secret: string } }>(
      'mutation ($id: ID!) { regenerateWebhookSecret(input: { id: $id }) { secret userErrors { message } } }',
      { id: webhook.id },
    );
    expect((await post(webhook, '{}')).status).toBe(401);
    expect((await post({ ...webhook, secret: regenerateWebhookSecret.secret }, '{}')).status).toBe(202);
  });
});
