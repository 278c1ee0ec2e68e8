import { createHmac } from 'node:crypto';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { formatId, newRandomUuid } from '../../src/lib/ids.js';
import {
  type CreatedWebhook,
  createWebhook,
  databaseEnv,
  type GatewayProcess,
  startGatewayProcess,
  type WebhookInput,
} from '../support/gateway-process.js';
import { pollUntil } from '../support/poll-until.js';
import { type CallAnswer, postCall } from '../support/post-call.js';
import { ask, expectProblem, post as bytesOf } from '../support/raw-calls.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

interface Body {
  readonly success: boolean;
  readonly code?: string;
  readonly detail?: string;
  readonly ignored?: boolean;
  readonly callId?: string;
  readonly results?: readonly { readonly result?: unknown }[];
}

interface RecordedCall {
  readonly outcome: string;
  readonly httpStatus: number | null;
  readonly sourceIp: string | null;
  readonly rejectionReason: string | null;
  readonly executions: readonly unknown[];
}

const UNKNOWN = `/api/v1/webhooks/${formatId('webhook', newRandomUuid())}`;

let database: TestDatabase;
let gateway: GatewayProcess;
let port: number;

beforeAll(async () => {
  database = await createTestDatabase();
  const env = {
    ...databaseEnv(database.url),
    WORKERS_DIR: 'test/support/workers',
    TRUSTED_PROXIES: '127.0.0.1',
    BODY_BYTES_MAX: '2000',
    BODY_BYTES_CEILING: '400000',
  };
  gateway = await startGatewayProcess({ env });
  port = Number(new URL(gateway.url).port);
});

afterAll(async () => {
  await gateway.end('SIGTERM');
  await database.drop();
});

const create = (input: WebhookInput = {}): Promise<CreatedWebhook> =>
  createWebhook(gateway, {
    executionMode: 'SYNC',
    workerIds: ['worker-echo'],
    authentication: { method: 'SECRET_HEADER' },
    ...input,
  });

/** A POST through the proxy on this machine. */
const from = (
  webhook: CreatedWebhook,
  address: string,
  body = '{"a":1}',
  headers: Readonly<Record<string, string>> = {},
): Promise<CallAnswer<Body>> =>
  postCall<Body>(webhook, body, { 'x-forwarded-for': address, 'x-forwarded-proto': 'https', ...headers });

const post = (webhook: CreatedWebhook, body: string, headers = {}): Promise<CallAnswer<Body>> =>
  from(webhook, '198.51.100.1', body, headers);

const update = async (id: string, input: object): Promise<readonly { code: string }[]> => {
  const { updateWebhook } = await gateway.graphql<{ updateWebhook: { userErrors: { code: string }[] } }>(
    'mutation ($input: UpdateWebhookInput!) { updateWebhook(input: $input) { userErrors { field message code } } }',
    { input: { id, ...input } },
  );
  return updateWebhook.userErrors;
};

const recorded = async (id: string, count: number): Promise<readonly RecordedCall[]> => {
  const read = async (): Promise<readonly RecordedCall[]> => {
    const { webhook } = await gateway.graphql<{ webhook: { calls: { nodes: RecordedCall[] } } }>(
      `query ($id: ID!) { webhook(id: $id) { calls {
        nodes { outcome httpStatus sourceIp rejectionReason executions { id } } } } }`,
      { id },
    );
    return webhook.calls.nodes;
  };
  return await pollUntil('recorded calls', async () => {
    const nodes = await read();
    return nodes.length >= count ? nodes : undefined;
  });
};

/** A change is heard of a moment after its commit. */
const changed = (call: () => Promise<CallAnswer<Body>>, before: number): Promise<CallAnswer<Body>> =>
  pollUntil('another answer', async () => {
    const answer = await call();
    return answer.status === before ? undefined : answer;
  });

describe('an allowlist of addresses', () => {
  it('lets calls in from its CIDRs, and others get 403 and are recorded', async () => {
    const webhook = await create({ allowedCidrs: ['192.0.2.0/24', '2001:db8::/32'] });
    for (const address of ['192.0.2.9', '::ffff:192.0.2.9', '2001:db8::9']) {
      expect(await from(webhook, address)).toMatchObject({ status: 200 });
    }
    const refused = await from(webhook, '198.51.100.7');
    expect(refused).toMatchObject({ status: 403, body: { success: false, code: 'ADDRESS_NOT_ALLOWED' } });
    expect(await recorded(webhook.id, 4)).toContainEqual({
      outcome: 'REJECTED_ADDRESS',
      httpStatus: 403,
      sourceIp: '198.51.100.7',
      rejectionReason: expect.stringContaining('198.51.100.7'),
      executions: [],
    });
  });

  it('answers a stranger the same whether the secret is right, wrong or missing', async () => {
    const webhook = await create({ allowedCidrs: ['192.0.2.0/24'] });
    const wrong = { ...webhook, secret: `${webhook.secret}x` };
    const answers = [await from(webhook, '198.51.100.7'), await from(wrong, '198.51.100.7')];
    for (const { status, body } of answers) {
      expect(status).toBe(403);
      expect(body).toMatchObject({ code: 'ADDRESS_NOT_ALLOWED', detail: answers[0]!.body.detail });
    }
    expect(await from(wrong, '192.0.2.9')).toMatchObject({ status: 401 });
    const unknown = { ...webhook, url: `${gateway.url}${UNKNOWN}` };
    expect(await from(unknown, '198.51.100.7')).toMatchObject({ status: 404 });
  });

  it('holds before the answer to a handshake, and for readers of results', async () => {
    const authentication = { method: 'PROVIDER', provider: 'woocommerce' };
    const webhook = await create({ allowedCidrs: ['192.0.2.0/24'], authentication });
    const ping = (address: string): Promise<CallAnswer<Body>> =>
      from(webhook, address, 'webhook_id=1', { 'content-type': 'application/x-www-form-urlencoded' });
    expect(await ping('198.51.100.7')).toMatchObject({ status: 403 });
    expect(await ping('192.0.2.9')).toMatchObject({ status: 200 });

    const keyed = await create({ allowedCidrs: ['192.0.2.0/24'] });
    const { body } = await from(keyed, '192.0.2.9');
    const read = async (address: string): Promise<number> => {
      const headers = { 'x-webhook-secret': keyed.secret, 'x-forwarded-for': address, 'x-forwarded-proto': 'https' };
      return (await fetch(`${gateway.url}/api/v1/calls/${body.callId}`, { headers })).status;
    };
    expect(await read('192.0.2.9')).toBe(200);
    expect(await read('198.51.100.7')).toBe(404);
  });

  it('changes at once, and is taken away by null', async () => {
    const webhook = await create({ allowedCidrs: ['192.0.2.0/24'] });
    expect(await from(webhook, '198.51.100.7')).toMatchObject({ status: 403 });
    expect(await update(webhook.id, { allowedCidrs: null })).toEqual([]);
    expect(await changed(() => from(webhook, '198.51.100.7'), 403)).toMatchObject({ status: 200 });
    expect(await update(webhook.id, { allowedCidrs: ['192.0.2.0/99'] })).toMatchObject([
      { field: ['allowedCidrs', '0'], code: 'INVALID_CIDR' },
    ]);
  });

  it('does not stand in the way of a test from the admin API', async () => {
    const webhook = await create({ allowedCidrs: ['192.0.2.0/24'], clientCertificates: [{ subject: '*' }] });
    const { testWebhook } = await gateway.graphql<{ testWebhook: { httpStatus: number } }>(
      'mutation ($input: TestWebhookInput!) { testWebhook(input: $input) { httpStatus } }',
      { input: { id: webhook.id, payload: {} } },
    );
    expect(testWebhook.httpStatus).toBe(200);
  });
});

describe('a filter', () => {
  it('answers what it does not take with 200 and ignored, records and counts it, and starts nothing', async () => {
    const webhook = await create({ filter: 'input.action == "opened" and headers["x-kind"] == "issue"' });
    expect(await post(webhook, '{"action":"opened"}', { 'x-kind': 'issue' })).toMatchObject({
      status: 200,
      body: { results: [{ result: { action: 'opened' } }] },
    });
    const { status, body } = await post(webhook, '{"action":"closed"}', { 'x-kind': 'issue' });
    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual(['success', 'webhookId', 'timestamp', 'executionMode', 'results', 'ignored']);
    expect(body).toMatchObject({
      success: true,
      webhookId: webhook.id,
      executionMode: 'sync',
      results: [],
      ignored: true,
    });
    expect(await recorded(webhook.id, 2)).toContainEqual(
      expect.objectContaining({ outcome: 'IGNORED', httpStatus: 200, executions: [] }),
    );
    const { webhook: counted } = await gateway.graphql<{ webhook: { statistics: object } }>(
      `query ($id: ID!) { webhook(id: $id) { statistics { total succeeded rejected byOutcome { outcome count } } } }`,
      { id: webhook.id },
    );
    expect(counted.statistics).toMatchObject({ total: 2, succeeded: 1, rejected: 0 });
    expect(counted.statistics).toMatchObject({ byOutcome: expect.arrayContaining([{ outcome: 'IGNORED', count: 1 }]) });
  });

  it("goes before the workers' schemas, and after authentication and the body's form", async () => {
    const webhook = await create({ filter: 'input.take', workerIds: ['worker-strict'] });
    expect(await post(webhook, '{"take":true}')).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } });
    expect(await post(webhook, '{"take":false}')).toMatchObject({ status: 200, body: { ignored: true } });
    expect(await post(webhook, '{"take":')).toMatchObject({ status: 400, body: { code: 'MALFORMED_BODY' } });
    expect(await post({ ...webhook, secret: 'wrong' }, '{}')).toMatchObject({ status: 401 });
  });

  it('that fails at a call loses nothing: the call runs, and the log says why', async () => {
    const webhook = await create({ filter: 'input.a | join: input.b | size' });
    await update(webhook.id, { bodyBytesMax: 400_000 });
    const body = JSON.stringify({ a: Array.from({ length: 20_000 }, () => 'x'), b: 'y'.repeat(5_000) });
    expect(await post(webhook, body)).toMatchObject({ status: 200, body: { success: true } });
    expect(gateway.logged()).toContain('a filter failed, so calls pass it');
  });
});

describe("a webhook's own size of bodies", () => {
  const sized = (bytes: number): string => JSON.stringify({ a: 'x'.repeat(bytes - 8) });

  it.each([
    ['smaller than', 100],
    ['larger than', 10_000],
  ])('%s the usual one holds exactly', async (_, bodyBytesMax) => {
    const webhook = await create({ bodyBytesMax });
    expect(await post(webhook, sized(bodyBytesMax))).toMatchObject({ status: 200 });
    const refused = await post(webhook, sized(bodyBytesMax + 1));
    expect(refused).toMatchObject({ status: 413, body: { code: 'PAYLOAD_TOO_LARGE' } });
    expect(refused.body.detail).toContain(String(bodyBytesMax));
  });

  it('leaves other webhooks, and unknown ones, the usual one', async () => {
    await create({ bodyBytesMax: 10_000 });
    const other = await create();
    expect(await post(other, sized(2_000))).toMatchObject({ status: 200 });
    expect(await post(other, sized(2_001))).toMatchObject({ status: 413 });
    const unknown = { ...other, url: `${gateway.url}${UNKNOWN}` };
    expect(await post(unknown, sized(2_000))).toMatchObject({ status: 404 });
    expect(await post(unknown, sized(2_001))).toMatchObject({ status: 413 });
  });

  it.each([100, 10_000])(
    'refuses without reading on what is announced or comes in chunks (%d bytes)',
    async (bodyBytesMax) => {
      const webhook = await create({ bodyBytesMax, authentication: { method: 'HMAC_SIGNATURE' } });
      // Only the head is sent: the answer can't have waited for a body.
      const announced = bytesOf(webhook, '', { headers: [`Content-Length: ${bodyBytesMax + 1}`] });
      expectProblem(await ask(port, announced), 413, 'PAYLOAD_TOO_LARGE');
      const asking = bytesOf(webhook, '', { headers: [`Content-Length: ${bodyBytesMax + 1}`, 'Expect: 100-continue'] });
      expectProblem(await ask(port, asking), 413, 'PAYLOAD_TOO_LARGE');
      const chunked = bytesOf(webhook, '', { headers: ['Transfer-Encoding: chunked'] });
      const chunk = `${(bodyBytesMax + 1).toString(16)}\r\n${'x'.repeat(bodyBytesMax + 1)}\r\n`;
      expectProblem(await ask(port, chunked, chunk), 413, 'PAYLOAD_TOO_LARGE'); // the last chunk never comes
    },
  );

  it('asks a caller for its body that waits to be asked, when it is not too large', async () => {
    const webhook = await create({ bodyBytesMax: 10_000, authentication: { method: 'HMAC_SIGNATURE' } });
    const body = sized(9_000);
    const signature = createHmac('sha256', webhook.secret).update(body).digest('hex');
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    let asked = false;
    const req = request(webhook.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'content-length': body.length,
        'x-webhook-signature': `sha256=${signature}`,
        expect: '100-continue',
      },
    });
    req.on('continue', () => {
      asked = true;
      req.end(body);
    });
    req.on('response', (res) => {
      let text = '';
      res.on('data', (chunk: Buffer) => (text += chunk.toString()));
      res.on('end', () => resolve(text));
    });
    req.on('error', reject);
    req.flushHeaders();
    expect(JSON.parse(await promise)).toMatchObject({ results: [{ success: true }] });
    expect(asked).toBe(true);
  });

  it('is raised for the next call, and has a ceiling', async () => {
    const webhook = await create();
    expect(await post(webhook, sized(5_000))).toMatchObject({ status: 413 });
    expect(await update(webhook.id, { bodyBytesMax: 5_000 })).toEqual([]);
    expect(await changed(() => post(webhook, sized(5_000)), 413)).toMatchObject({ status: 200 });
    expect(await update(webhook.id, { bodyBytesMax: 400_001 })).toMatchObject([
      { field: ['bodyBytesMax'], code: 'OUT_OF_RANGE' },
    ]);
  });
});

describe('a webhook that takes any JSON', () => {
  it.each([
    ['42', 42],
    ['"text"', 'text'],
    ['null', null],
    ['[1,2]', [1, 2]],
    ['{"a":1}', { a: 1 }],
    ['', null],
  ])('takes %s', async (body, result) => {
    const webhook = await create({ acceptAnyJson: true });
    expect(await post(webhook, body)).toMatchObject({ status: 200, body: { results: [{ success: true, result }] } });
    const strict = await create();
    if (body !== '{"a":1}')
      expect(await post(strict, body)).toMatchObject({ status: 400, body: { code: 'MALFORMED_BODY' } });
  });

  it('takes nothing else', async () => {
    const webhook = await create({ acceptAnyJson: true });
    for (const body of ['{"a":', 'text', '\ufeff1', '['.repeat(65) + ']'.repeat(65)]) {
      expect(await post(webhook, body)).toMatchObject({ status: 400 });
    }
    expect(await post(webhook, '1', { 'content-type': 'text/plain' })).toMatchObject({ status: 415 });
    expect(await post(webhook, '', { 'content-encoding': 'gzip' })).toMatchObject({ status: 415 });
  });
});
