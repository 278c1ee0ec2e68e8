import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { promisify } from 'node:util';
import twilio from 'twilio/lib/webhooks/webhooks.js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type CreatedWebhook,
  createWebhook,
  databaseEnv,
  type GatewayProcess,
  startGatewayProcess,
} from '../support/gateway-process.js';
import { openEndpoint } from '../support/endpoint.js';
import { pollUntil } from '../support/poll-until.js';
import { KEYED_SENDERS } from '../support/senders/keyed.js';
import { PLAIN_SENDERS } from '../support/senders/plain.js';
import { JSON_HEADERS, type Sender, type SenderRequest } from '../support/senders/sender.js';
import { TIMED_SENDERS } from '../support/senders/timed.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const SENDERS = [...PLAIN_SENDERS, ...TIMED_SENDERS, ...KEYED_SENDERS];

/** These have a private key, or prove themselves in the body. */
const INIMITABLE = new Set(['discord', 'sendgrid', 'linear', 'microsoft-graph']);

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

const create = (provider: string, secret: string): Promise<CreatedWebhook> =>
  createWebhook(gateway, { authentication: { method: 'PROVIDER', provider, secret } });

const send = async ({ url, body, headers }: SenderRequest): Promise<number> => {
  const response = await fetch(url, { method: 'POST', headers, body });
  await response.body?.cancel();
  return response.status;
};

describe.each(SENDERS.map((sender) => [sender.provider, sender] as const))('%s', (provider, sender: Sender) => {
  const [secret, other] = sender.secrets;

  it('can be pointed at a webhook, and its secret rotated', async () => {
    const webhook = await create(provider, secret);
    const signed = (key: string): SenderRequest | Promise<SenderRequest> =>
      sender.sign(key, sender.body, { url: webhook.url, atMs: Date.now() });
    expect(await send(await signed(secret))).toBe(202);
    expect(await send(await signed(other))).toBe(401);
    await gateway.graphql(
      `mutation ($input: RotateWebhookSecretInput!) { rotateWebhookSecret(input: $input) { userErrors { message } } }`,
      { input: { id: webhook.id, secret: other } },
    );
    // Until the notification has come, the gateway does not know of the new secret.
    const status = await pollUntil('the new secret', async () => {
      const answered = await send(await signed(other));
      return answered === 401 ? undefined : answered;
    });
    expect(status).toBe(202);
    expect(await send(await signed(secret))).toBe(202);
  });

  it('has a command to try it with, and a test call', async () => {
    const webhook = await create(provider, secret);
    const { stdout } = await promisify(execFile)('sh', ['-c', webhook.curl], { timeout: 20_000 });
    const { testWebhook } = await gateway.graphql<{
      testWebhook: { httpStatus: number | null; userErrors: { code: string }[] };
    }>(
      `mutation ($id: ID!, $payload: JSON!) {
        testWebhook(input: { id: $id, payload: $payload }) { httpStatus userErrors { code } }
      }`,
      { id: webhook.id, payload: { webhookTimestamp: Date.now(), value: [{ clientState: secret }] } },
    );
    if (sender.provider === 'discord' || sender.provider === 'sendgrid') {
      expect(testWebhook).toEqual({ httpStatus: null, userErrors: [{ code: 'CANNOT_BE_SIGNED' }] });
    } else {
      expect(testWebhook).toEqual({ httpStatus: 202, userErrors: [] });
    }
    if (INIMITABLE.has(provider)) expect([webhook.curl[0], stdout]).toEqual(['#', '']);
    else expect(JSON.parse(stdout)).toMatchObject({ success: true, status: 'accepted' });
  });
});

/** The other direction: what the gateway signs in the place of a sender, for that sender's own library. */
describe.each(
  SENDERS.filter(({ accepts, provider }) => accepts !== undefined && !INIMITABLE.has(provider)).map(
    (sender) => [sender.provider, sender] as const,
  ),
)("the command of %s, for the sender's own library", (provider, sender) => {
  it('is signed right', async () => {
    const [secret, other] = sender.secrets;
    const webhook = await create(provider, secret);
    const endpoint = await openEndpoint();
    try {
      await promisify(execFile)('sh', ['-c', webhook.curl.replaceAll(gateway.url, endpoint.origin)], {
        timeout: 20_000,
      });
      const [received] = endpoint.received;
      if (received === undefined) throw new Error('nothing came');
      // Names as the library knows them, and what it wants to see besides; the proof is what came.
      const fixture = await sender.sign(other, sender.body, { url: webhook.url, atMs: 0 });
      const headers = Object.fromEntries(
        Object.entries(fixture.headers).map(([name, value]) => {
          const came = received.headers[name.toLowerCase()];
          return [name, typeof came === 'string' ? came : value];
        }),
      );
      const call: SenderRequest = { url: endpoint.origin + received.url!, body: received.body, headers };
      expect(await sender.accepts!(secret, call)).toBe(true);
      expect(await sender.accepts!(other, call)).toBe(false);
    } finally {
      await endpoint.close();
    }
  });
});

describe('forms', () => {
  it('of Twilio and Slack reach the workers as a JSON object, and only theirs', async () => {
    const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const body = 'From=%2B1415&Body=Gr%C3%BC%C3%9Fe&MediaUrl=b&MediaUrl=a&__proto__=x';
    const [token] = SENDERS.find(({ provider }) => provider === 'twilio')!.secrets;
    const webhook = await createWebhook(gateway, {
      executionMode: 'SYNC',
      authentication: { method: 'PROVIDER', provider: 'twilio', secret: token },
    });
    const parameters = Object.fromEntries([
      ['From', '+1415'],
      ['Body', 'Grüße'],
      ['MediaUrl', ['b', 'a']],
      ['__proto__', 'x'],
    ]);
    const signature = twilio.getExpectedTwilioSignature(token, webhook.url, parameters);
    const headers = { ...form, 'X-Twilio-Signature': signature };
    const response = await fetch(webhook.url, { method: 'POST', headers, body });
    expect(response.status).toBe(200);
    expect(await response.text()).toContain(
      '"result":{"From":"+1415","Body":"Grüße","MediaUrl":["b","a"],"__proto__":"x"}',
    );
    expect(await send({ url: webhook.url, headers, body: body.replace('1415', '1416') })).toBe(401);

    const github = SENDERS.find(({ provider }) => provider === 'github')!;
    const other = await create('github', github.secrets[0]);
    const signed = await github.sign(github.secrets[0], body, { url: other.url, atMs: Date.now() });
    expect(await send({ ...signed, headers: { ...signed.headers, ...form } })).toBe(415);
  });
});

describe('handshakes', () => {
  const post = (url: string, body: string, headers: Record<string, string>): Promise<Response> =>
    fetch(url, { method: 'POST', headers, body });
  const senderOf = (provider: string): Sender => SENDERS.find((sender) => sender.provider === provider)!;

  async function shaken(provider: string, body: string): Promise<{ response: Response; webhook: CreatedWebhook }> {
    const sender = senderOf(provider);
    const webhook = await create(provider, sender.secrets[0]);
    const signed = await sender.sign(sender.secrets[0], body, { url: webhook.url, atMs: Date.now() });
    const forged = await sender.sign(sender.secrets[1], body, { url: webhook.url, atMs: Date.now() });
    expect(await send(forged)).toBe(401);
    return { webhook, response: await post(webhook.url, body, { ...signed.headers }) };
  }

  it("echoes Slack's challenge, and keeps a record that is no rejection", async () => {
    const { response, webhook } = await shaken('slack', '{"type":"url_verification","challenge":"c1"}');
    expect([response.status, await response.json()]).toEqual([200, { challenge: 'c1' }]);
    const webhookNow = await pollUntil('the record', async () => {
      const { webhook: seen } = await gateway.graphql<{ webhook: { calls: { nodes: unknown[] }; statistics: object } }>(
        `query ($id: ID!) { webhook(id: $id) {
          calls { nodes { outcome httpStatus rejectionReason executions { id } } } statistics { total rejected }
        } }`,
        { id: webhook.id },
      );
      return seen.calls.nodes.length === 2 ? seen : undefined;
    });
    expect(webhookNow).toMatchObject({
      calls: {
        nodes: [{ outcome: 'HANDSHAKE', httpStatus: 200, executions: [] }, { outcome: 'REJECTED_AUTHENTICATION' }],
      },
      statistics: { total: 2, rejected: 1 },
    });
  });

  it('are answered while the webhook is inactive, and calls are not', async () => {
    const { webhook } = await shaken('slack', '{"type":"url_verification","challenge":"c1"}');
    await gateway.graphql(`mutation ($id: ID!) { deactivateWebhook(input: { id: $id }) { userErrors { code } } }`, {
      id: webhook.id,
    });
    const sender = senderOf('slack');
    const signed = (body: string): SenderRequest | Promise<SenderRequest> =>
      sender.sign(sender.secrets[0], body, { url: webhook.url, atMs: Date.now() });
    const status = await pollUntil('the deactivation', async () => {
      const answered = await send(await signed(sender.body));
      return answered === 202 ? undefined : answered;
    });
    expect(status).toBe(403);
    expect(await send(await signed('{"type":"url_verification","challenge":"c2"}'))).toBe(200);
  });

  it("encrypts Zoom's token", async () => {
    const body = '{"event":"endpoint.url_validation","payload":{"plainToken":"p1"},"event_ts":1}';
    const { response } = await shaken('zoom', body);
    const encryptedToken = createHmac('sha256', senderOf('zoom').secrets[0]).update('p1').digest('hex');
    expect([response.status, await response.json()]).toEqual([200, { plainToken: 'p1', encryptedToken }]);
  });

  it("answers Discord's two pings", async () => {
    const interaction = await shaken('discord', '{"id":"1","type":1}');
    expect([interaction.response.status, await interaction.response.json()]).toEqual([200, { type: 1 }]);
    const event = await shaken('discord', '{"version":1,"type":0}');
    expect([event.response.status, await event.response.text()]).toEqual([204, '']);
    expect(event.response.headers.get('content-length')).toBeNull();
  });

  it("answers GitHub's ping", async () => {
    const sender = senderOf('github');
    const webhook = await create('github', sender.secrets[0]);
    const ping = await sender.sign(sender.secrets[0], '{"zen":"x"}', { url: webhook.url, atMs: Date.now() });
    const response = await post(webhook.url, ping.body, { ...ping.headers, 'X-GitHub-Event': 'ping' });
    expect([response.status, await response.json()]).toEqual([200, { success: true, handshake: 'ping' }]);
  });

  it("confirms Meta's subscription by GET, and no other GET", async () => {
    const webhook = await create('meta', senderOf('meta').secrets[0]);
    const ask = (url: string, token: string): Promise<Response> =>
      fetch(`${url}?hub.mode=subscribe&hub.verify_token=${token}&hub.challenge=1158201444`);
    const confirmed = await ask(webhook.url, webhook.id);
    expect([confirmed.status, await confirmed.text()]).toEqual([200, '1158201444']);
    expect(confirmed.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect((await ask(webhook.url, 'wrong')).status).toBe(401);
    expect((await fetch(webhook.url)).status).toBe(405);
    const github = await create('github', senderOf('github').secrets[0]);
    const refused = await ask(github.url, github.id);
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'POST']);
    expect((await ask(github.url.replace(/.$/, '0'), github.id)).status).toBe(405);
  });

  it("echoes Microsoft Graph's validation token", async () => {
    const webhook = await create('microsoft-graph', senderOf('microsoft-graph').secrets[0]);
    const response = await post(`${webhook.url}?validationToken=a%20b%3Cc%3E`, '', { 'Content-Type': 'text/plain' });
    expect([response.status, await response.text()]).toEqual([200, 'a b<c>']);
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect((await post(webhook.url, '', { 'Content-Type': 'text/plain' })).status).toBe(401);
  });

  it("answers WooCommerce's unsigned ping with 200", async () => {
    const webhook = await create('woocommerce', senderOf('woocommerce').secrets[0]);
    const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
    expect((await post(webhook.url, 'webhook_id=1', form)).status).toBe(200);
    expect((await post(webhook.url, 'webhook_id=1&more=1', form)).status).toBe(401);
    expect((await post(webhook.url, '{}', JSON_HEADERS)).status).toBe(401);
  });
});

describe('managing', () => {
  const attempt = async (authentication: object): Promise<unknown> => {
    const { createWebhook: payload } = await gateway.graphql<{ createWebhook: { userErrors: unknown } }>(
      `mutation ($input: CreateWebhookInput!) { createWebhook(input: $input) { userErrors { field code } } }`,
      { input: { name: 'x', workerIds: ['worker-echo'], authentication } },
    );
    return payload.userErrors;
  };

  it.each([
    [{ method: 'PROVIDER' }, 'provider', 'REQUIRED'],
    [{ method: 'PROVIDER', provider: 'nobody' }, 'provider', 'UNKNOWN_PROVIDER'],
    [{ method: 'API_KEY', provider: 'github' }, 'provider', 'NOT_APPLICABLE'],
    [{ method: 'PROVIDER', provider: 'slack' }, 'secret', 'REQUIRED'],
    [{ method: 'PROVIDER', provider: 'discord', secret: 'not a public key' }, 'secret', 'INVALID_SECRET'],
    [{ method: 'PROVIDER', provider: 'github', headerName: 'X-Own' }, 'headerName', 'NOT_APPLICABLE'],
    [{ method: 'PROVIDER', provider: 'github', headerPrefix: 'a' }, 'headerPrefix', 'NOT_APPLICABLE'],
  ])('refuses %j', async (authentication, field, code) => {
    expect(await attempt(authentication)).toEqual([{ field: ['authentication', field], code }]);
  });

  it('changes the sender; another needs its secret, unless one can be made here', async () => {
    const webhook = await createWebhook(gateway, { authentication: { method: 'PROVIDER', provider: 'github' } });
    const update = (authentication: object): Promise<unknown> =>
      gateway.graphql(
        `mutation ($id: ID!, $authentication: WebhookAuthenticationInput) {
          updateWebhook(input: { id: $id, authentication: $authentication }) {
            webhook { authentication { method provider headerName headerPrefix } } userErrors { code }
          }
        }`,
        { id: webhook.id, authentication },
      );
    expect(await update({ method: 'PROVIDER', provider: 'slack' })).toMatchObject({
      updateWebhook: { webhook: null, userErrors: [{ code: 'REQUIRED' }] },
    });
    const stripe = { method: 'PROVIDER', provider: 'stripe', secret: 'whsec_of_stripe_0123' };
    const authentication = { method: 'PROVIDER', provider: 'stripe', headerName: 'Stripe-Signature', headerPrefix: '' };
    expect(await update(stripe)).toMatchObject({ updateWebhook: { webhook: { authentication }, userErrors: [] } });
    expect(await update({ method: 'PROVIDER', provider: 'stripe' })).toMatchObject({
      updateWebhook: { userErrors: [] },
    });
    expect(await update({ method: 'API_KEY' })).toMatchObject({
      updateWebhook: { webhook: { authentication: { method: 'API_KEY', provider: null } } },
    });
  });

  it('makes the webhook before the secret, where the sender asks for the URL first', async () => {
    const stripe = SENDERS.find(({ provider }) => provider === 'stripe')!;
    const webhook = await createWebhook(gateway, { authentication: { method: 'PROVIDER', provider: 'stripe' } });
    const [secret] = stripe.secrets;
    const signed = await stripe.sign(secret, stripe.body, { url: webhook.url, atMs: Date.now() });
    expect(await send(signed)).toBe(401);
    await gateway.graphql(
      `mutation ($id: ID!, $authentication: WebhookAuthenticationInput) {
        updateWebhook(input: { id: $id, authentication: $authentication }) { userErrors { code } }
      }`,
      { id: webhook.id, authentication: { method: 'PROVIDER', provider: 'stripe', secret } },
    );
    const status = await pollUntil('the secret', async () => {
      const answered = await send(signed);
      return answered === 401 ? undefined : answered;
    });
    expect(status).toBe(202);
  });

  it('lists the senders', async () => {
    const { providers } = await gateway.graphql<{ providers: { id: string }[] }>(
      '{ providers { id name header algorithm needsOwnSecret setup } }',
    );
    expect(providers.map(({ id }) => id)).toEqual(SENDERS.map(({ provider }) => provider).toSorted());
    expect(providers.find(({ id }) => id === 'gitlab')).toMatchObject({
      name: 'GitLab',
      header: 'X-Gitlab-Token',
      algorithm: 'the secret itself or HMAC-SHA256, base64',
      needsOwnSecret: false,
    });
  });
});
