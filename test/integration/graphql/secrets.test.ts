import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Principal } from '../../../src/access/principal.js';
import { formatId, newRandomUuid } from '../../../src/lib/ids.js';
import { addWorkerVersions, type GraphqlFixture, openGraphqlFixture } from '../../support/graphql-fixture.js';

let fixture: GraphqlFixture;
let viewer: Principal;
let run: GraphqlFixture['run'];

beforeAll(async () => {
  fixture = await openGraphqlFixture();
  run = fixture.run;
  viewer = await fixture.addUser('viewer');
  await fixture.addWorkers('worker-any', 'worker-strict');
  await fixture.database.pool.query(
    `insert into worker_versions (worker_id, version, definition, input_schema, timeout_ms, attempts_max)
     values ('worker-strict', 1, '{}', '{"type":"object","required":["order"]}', 30000, 3)`,
  );
  await addWorkerVersions(fixture);
});

afterAll(() => fixture.close());

const UNKNOWN = formatId('webhook', newRandomUuid());

const mutation = (name: string): string => {
  const type = `${name[0]!.toUpperCase()}${name.slice(1)}Input`;
  return `mutation ($input: ${type}!) { ${name}(input: $input) {
    webhook { id version secrets { hint expiresAt } } secret previousSecretExpiresAt userErrors { field code } } }`;
};

const REVEAL = mutation('revealWebhookSecret');
const REGENERATE = mutation('regenerateWebhookSecret');
const ROTATE = mutation('rotateWebhookSecret');

const reveal = async (id: string): Promise<string> =>
  (await run(REVEAL, { input: { id } })).data.revealWebhookSecret.secret;

describe('a token that may change secrets and nothing else', () => {
  it('gets the new one, and no webhook', async () => {
    const id = await fixture.addWebhook('Narrow', ['worker-any'], { callbackUrl: 'https://dashboard.example/done' });
    const rotator = await fixture.addUser('owner', ['webhooks:rotate-secret']);
    const revealer = await fixture.addUser('owner', ['webhooks:reveal-secret']);
    const whole = { webhook: null, secret: expect.stringMatching(/^whsec_/), userErrors: [] };
    const answers = [
      [(await run(REVEAL, { input: { id } }, revealer)).data.revealWebhookSecret, whole],
      [(await run(ROTATE, { input: { id } }, rotator)).data.rotateWebhookSecret, whole],
      [(await run(REGENERATE, { input: { id } }, rotator)).data.regenerateWebhookSecret, whole],
    ];
    for (const [answer, expected] of answers) expect(answer).toMatchObject(expected);
    await run(ROTATE, { input: { id } });
    const { data } = await run('query ($id: ID!) { webhook(id: $id) { secrets { id expiresAt } } }', { id });
    const retiring = data.webhook.secrets.find(({ expiresAt }: { expiresAt: string | null }) => expiresAt !== null);
    const expire = `mutation ($input: ExpireWebhookSecretInput!) {
      expireWebhookSecret(input: $input) { webhook { id } userErrors { code } } }`;
    const expired = await run(expire, { input: { id: retiring.id } }, rotator);
    expect([expired.errors, expired.data.expireWebhookSecret]).toEqual([[], { webhook: null, userErrors: [] }]);
    const callback = `mutation ($input: RegenerateWebhookCallbackSecretInput!) {
      regenerateWebhookCallbackSecret(input: $input) { webhook { id } callbackSecret userErrors { code } } }`;
    const called = await run(callback, { input: { id } }, rotator);
    expect(called.data.regenerateWebhookCallbackSecret).toMatchObject({
      webhook: null,
      callbackSecret: expect.stringMatching(/^whsec_/),
    });
  });
});

describe('revealWebhookSecret', () => {
  it('shows the active secret and records who saw it', async () => {
    const id = await fixture.addWebhook('Reveal', ['worker-any'], {
      authentication: { method: 'API_KEY', secret: 'the-senders-own-secret' },
    });
    const { data, errors } = await run(REVEAL, { input: { id } });
    expect(errors).toEqual([]);
    expect(data.revealWebhookSecret).toEqual({
      webhook: { id, version: 1, secrets: [{ hint: expect.any(String), expiresAt: null }] },
      secret: 'the-senders-own-secret',
      previousSecretExpiresAt: null,
      userErrors: [],
    });
    const { rows } = await fixture.database.pool.query(
      'select action, subject_id from audit_events order by seq desc limit 1',
    );
    expect(rows).toEqual([{ action: 'webhook.secret-revealed', subject_id: id }]);
  });
});

describe('regenerateWebhookSecret', () => {
  it('ends the old secret at once', async () => {
    const id = await fixture.addWebhook('Regenerate', ['worker-any']);
    const before = await reveal(id);
    const { data } = await run(REGENERATE, { input: { id } });
    const { webhook, secret, previousSecretExpiresAt } = data.regenerateWebhookSecret;
    expect(secret).not.toBe(before);
    expect(await reveal(id)).toBe(secret);
    expect(webhook.version).toBe(2);
    expect(webhook.secrets[1].expiresAt).toBe(previousSecretExpiresAt);
    expect(Math.abs(Date.parse(previousSecretExpiresAt) - Date.now())).toBeLessThan(10_000);
  });

  it('takes a secret of the sender, and not one that the webhook has', async () => {
    const id = await fixture.addWebhook('Regenerate to', ['worker-any']);
    const secret = 'another-secret-of-theirs';
    expect((await run(REGENERATE, { input: { id, secret } })).data.regenerateWebhookSecret).toMatchObject({ secret });
    expect(await reveal(id)).toBe(secret);
    for (const [wrong, code] of [
      [secret, 'ALREADY_IN_USE'],
      ['short', 'TOO_SHORT'],
    ]) {
      const { data } = await run(REGENERATE, { input: { id, secret: wrong } });
      expect(data.regenerateWebhookSecret).toMatchObject({ secret: null, userErrors: [{ field: ['secret'], code }] });
    }
    expect(await reveal(id)).toBe(secret);
  });
});

describe('a secret that its sender makes', () => {
  const stripe = (): Promise<string> =>
    fixture.addWebhook('Stripe', ['worker-any'], {
      authentication: { method: 'PROVIDER', provider: 'stripe', secret: 'whsec_theirs-first' },
    });

  it.each([
    ['regenerateWebhookSecret', REGENERATE],
    ['rotateWebhookSecret', ROTATE],
  ])('is not replaced by one of ours: %s needs it', async (name, document) => {
    const id = await stripe();
    const { data } = await run(document, { input: { id } });
    expect(data[name]).toMatchObject({ secret: null, userErrors: [{ field: ['secret'], code: 'REQUIRED' }] });
    expect(await reveal(id)).toBe('whsec_theirs-first');
    const brought = await run(document, { input: { id, secret: 'whsec_theirs-second' } });
    expect(brought.data[name]).toMatchObject({ secret: 'whsec_theirs-second', userErrors: [] });
    expect(await reveal(id)).toBe('whsec_theirs-second');
  });

  it('can be ended at once while it is the active one', async () => {
    const id = await stripe();
    const { data: before } = await run('query ($id: ID!) { webhook(id: $id) { secrets { id } } }', { id });
    const [active] = before.webhook.secrets;
    const { data } = await run(
      `mutation ($input: ExpireWebhookSecretInput!) { expireWebhookSecret(input: $input) {
        webhook { version secrets { id expiresAt } } userErrors { code } } }`,
      { input: { id: active.id } },
    );
    const { webhook, userErrors } = data.expireWebhookSecret;
    expect(userErrors).toEqual([]);
    expect(webhook.version).toBe(2);
    const ended = webhook.secrets.find((secret: { id: string }) => secret.id === active.id);
    expect(Date.parse(ended.expiresAt)).toBeLessThanOrEqual(Date.now());
    expect(await reveal(id)).not.toBe('whsec_theirs-first');
  });
});

describe('rotateWebhookSecret', () => {
  it('keeps the old secret for a day without a word', async () => {
    const id = await fixture.addWebhook('Rotate', ['worker-any']);
    const { data } = await run(ROTATE, { input: { id } });
    const { webhook, secret, previousSecretExpiresAt } = data.rotateWebhookSecret;
    const leftMs = Date.parse(previousSecretExpiresAt) - Date.now();
    expect(leftMs).toBeGreaterThan(86_390_000);
    expect(leftMs).toBeLessThanOrEqual(86_400_000);
    expect(webhook.secrets).toEqual([
      { hint: `…${secret.slice(-4)}`, expiresAt: null },
      { hint: expect.any(String), expiresAt: previousSecretExpiresAt },
    ]);
  });

  it('takes another overlap, and a secret of the sender', async () => {
    const id = await fixture.addWebhook('Rotate to', ['worker-any']);
    const secret = 'another-secret-of-theirs';
    const { data } = await run(ROTATE, { input: { id, overlap: 'PT1H', secret } });
    expect(data.rotateWebhookSecret.secret).toBe(secret);
    const leftMs = Date.parse(data.rotateWebhookSecret.previousSecretExpiresAt) - Date.now();
    expect(leftMs).toBeLessThanOrEqual(3_600_000);
    const again = await run(ROTATE, { input: { id, secret } });
    expect(again.data.rotateWebhookSecret).toMatchObject({
      secret: null,
      userErrors: [{ field: ['secret'], code: 'ALREADY_IN_USE' }],
    });
  });

  it('says what is to be mended', async () => {
    const id = await fixture.addWebhook('Rotate wrong', ['worker-any']);
    const { data } = await run(ROTATE, { input: { id, overlap: 'P31D', secret: 'short' } });
    expect(data.rotateWebhookSecret).toEqual({
      webhook: null,
      secret: null,
      previousSecretExpiresAt: null,
      userErrors: [
        { field: ['overlap'], code: 'OUT_OF_RANGE' },
        { field: ['secret'], code: 'TOO_SHORT' },
      ],
    });
    expect((await run(ROTATE, { input: { id, overlap: 'P1M' } })).codes).toEqual(['BAD_USER_INPUT']);
  });
});

describe('expireWebhookSecret', () => {
  const EXPIRE = `mutation ($input: ExpireWebhookSecretInput!) { expireWebhookSecret(input: $input) {
    webhook { version secrets { id expiresAt } } userErrors { field code } } }`;
  const SECRETS = 'query ($id: ID!) { webhook(id: $id) { secrets { id expiresAt } } }';

  it('ends a retiring secret, and neither the active one nor another', async () => {
    const id = await fixture.addWebhook('Expire', ['worker-any']);
    await run(ROTATE, { input: { id } });
    const [active, retiring] = (await run(SECRETS, { id })).data.webhook.secrets;
    expect(Date.parse(retiring.expiresAt)).toBeGreaterThan(Date.now());

    const refused = await run(EXPIRE, { input: { id: active.id } });
    expect(refused.data.expireWebhookSecret).toEqual({
      webhook: null,
      userErrors: [{ field: ['id'], code: 'SECRET_ACTIVE' }],
    });
    const { data } = await run(EXPIRE, { input: { id: retiring.id } });
    expect(data.expireWebhookSecret.userErrors).toEqual([]);
    expect(data.expireWebhookSecret.webhook.secrets[0]).toEqual(active);
    expect(Date.parse(data.expireWebhookSecret.webhook.secrets[1].expiresAt)).toBeLessThanOrEqual(Date.now());
    expect(data.expireWebhookSecret.webhook.version).toBe(3);
  });

  it('refuses what does not exist and whoever may not', async () => {
    const id = formatId('secretVersion', newRandomUuid());
    expect((await run(EXPIRE, { input: { id } })).codes).toEqual(['NOT_FOUND']);
    expect((await run(EXPIRE, { input: { id: UNKNOWN } })).codes).toEqual(['BAD_USER_INPUT']);
    expect((await run(EXPIRE, { input: { id } }, viewer)).codes).toEqual(['FORBIDDEN']);
  });
});

describe.each([
  ['revealWebhookSecret', REVEAL],
  ['regenerateWebhookSecret', REGENERATE],
  ['rotateWebhookSecret', ROTATE],
])('%s', (_, document) => {
  it('refuses what does not exist and whoever may not', async () => {
    expect((await run(document, { input: { id: UNKNOWN } })).codes).toEqual(['NOT_FOUND']);
    expect((await run(document, { input: { id: 'nonsense' } })).codes).toEqual(['BAD_USER_INPUT']);
    expect((await run(document, { input: { id: UNKNOWN } }, viewer)).codes).toEqual(['FORBIDDEN']);
  });
});

describe('testWebhook', () => {
  const TEST = `mutation ($input: TestWebhookInput!) { testWebhook(input: $input) {
    call { id isTest outcome requestBody requestHeaders sourceIp executions { worker { id } } webhook { id } }
    httpStatus responseBody curl userErrors { field code } } }`;

  it.each([
    { method: 'SECRET_HEADER' },
    { method: 'HMAC_SIGNATURE' },
    { method: 'BEARER_TOKEN' },
    { method: 'API_KEY' },
    { method: 'CUSTOM_HEADER', headerName: 'X-Mine', headerPrefix: 'Key ' },
  ])('goes through the ingress with $method', async (authentication) => {
    const id = await fixture.addWebhook('Test', ['worker-any'], { authentication });
    const secret = await reveal(id);
    const payload = { order: 7, text: "it's" };
    const { data, errors } = await run(TEST, { input: { id, payload, headers: { 'X-Trace': 'abc' } } });
    expect(errors).toEqual([]);
    const { call, httpStatus, responseBody, curl, userErrors } = data.testWebhook;
    expect(userErrors).toEqual([]);
    expect(httpStatus).toBe(202);
    expect(JSON.parse(responseBody)).toMatchObject({ success: true, webhookId: id, executionMode: 'async' });
    expect(call).toMatchObject({
      isTest: true,
      outcome: 'ACCEPTED',
      requestBody: JSON.stringify(payload),
      requestHeaders: { 'content-type': 'application/json', 'x-trace': 'abc' },
      sourceIp: null,
      executions: [{ worker: { id: 'worker-any' } }],
      webhook: { id },
    });
    expect(JSON.stringify(call.requestHeaders)).not.toContain(secret);
    expect(curl).toContain(`https://hooks.example/api/v1/webhooks/${id}`);
    expect(curl).toContain('X-Trace: abc');
    expect(curl).toContain('$WEBHOOK_SECRET');
    expect(curl).not.toContain(secret);
  });

  it('uses the newest secret after a rotation', async () => {
    const id = await fixture.addWebhook('Test rotated', ['worker-any']);
    await run(ROTATE, { input: { id } });
    expect((await run(TEST, { input: { id, payload: {} } })).data.testWebhook.httpStatus).toBe(202);
    await run(REGENERATE, { input: { id } });
    expect((await run(TEST, { input: { id, payload: {} } })).data.testWebhook.httpStatus).toBe(202);
  });

  it('answers a repeat with the same key with the first call', async () => {
    const id = await fixture.addWebhook('Test twice', ['worker-any']);
    const test = async (idempotencyKey: string): Promise<{ callId: string }> =>
      JSON.parse((await run(TEST, { input: { id, payload: {}, idempotencyKey } })).data.testWebhook.responseBody);
    const { callId } = await test('one "click" \\ of a button');
    expect((await test('one "click" \\ of a button')).callId).toBe(callId);
    expect((await test('another')).callId).not.toBe(callId);
  });

  it('gives what the ingress answers when it refuses', async () => {
    const id = await fixture.addWebhook('Test strict', ['worker-strict']);
    const { data } = await run(TEST, { input: { id, payload: { no: 'order' } } });
    expect(data.testWebhook).toMatchObject({ call: null, httpStatus: 400, userErrors: [] });
    expect(JSON.parse(data.testWebhook.responseBody)).toMatchObject({ success: false, code: 'INVALID_INPUT' });
    const inactive = await fixture.addWebhook('Test inactive', ['worker-any'], { active: false });
    expect((await run(TEST, { input: { id: inactive, payload: {} } })).data.testWebhook.httpStatus).toBe(403);
    const typed = {
      id: await fixture.addWebhook('Typed', ['worker-any']),
      payload: {},
      headers: { 'content-type': 'text/plain' },
    };
    expect((await run(TEST, { input: typed })).data.testWebhook.httpStatus).toBe(415);
  });

  it.each([
    [{ headers: ['a'] }, { field: ['headers'], code: 'INVALID' }],
    [{ idempotencyKey: '' }, { field: ['idempotencyKey'], code: 'INVALID_KEY' }],
    [{ idempotencyKey: 'a\nb' }, { field: ['idempotencyKey'], code: 'INVALID_KEY' }],
    [{ headers: { 'X-Number': 1 } }, { field: ['headers'], code: 'INVALID' }],
    [{ headers: { 'X Y': 'z' } }, { field: ['headers', 'X Y'], code: 'INVALID_HEADER_NAME' }],
    [
      { headers: { 'x-webhook-signature': 'z' } },
      { field: ['headers', 'x-webhook-signature'], code: 'RESERVED_HEADER' },
    ],
    [{ headers: { 'Content-Length': '9' } }, { field: ['headers', 'Content-Length'], code: 'RESERVED_HEADER' }],
    [{ headers: { 'X-Break': 'a\r\nX-Other: b' } }, { field: ['headers', 'X-Break'], code: 'INVALID_CHARACTERS' }],
  ])('refuses %j', async (wrong, userError) => {
    const id = await fixture.addWebhook('Test wrong', ['worker-any']);
    const { data } = await run(TEST, { input: { id, payload: {}, ...wrong } });
    expect(data.testWebhook).toMatchObject({ httpStatus: null, curl: null, userErrors: [userError] });
  });

  it('refuses what does not exist and whoever may not', async () => {
    expect((await run(TEST, { input: { id: UNKNOWN, payload: {} } })).codes).toEqual(['NOT_FOUND']);
    expect((await run(TEST, { input: { id: 'nonsense', payload: {} } })).codes).toEqual(['BAD_USER_INPUT']);
    expect((await run(TEST, { input: { id: UNKNOWN, payload: {} } }, viewer)).codes).toEqual(['FORBIDDEN']);
  });
});
