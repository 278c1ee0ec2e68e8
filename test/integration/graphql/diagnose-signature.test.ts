import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Principal } from '../../../src/access/principal.js';
import { formatId, newRandomUuid } from '../../../src/lib/ids.js';
import { addWorkerVersions, type GraphqlFixture, openGraphqlFixture } from '../../support/graphql-fixture.js';

let fixture: GraphqlFixture;
let run: GraphqlFixture['run'];

beforeAll(async () => {
  fixture = await openGraphqlFixture();
  run = fixture.run;
  await fixture.addWorkers('worker-any');
  await addWorkerVersions(fixture);
});

afterAll(() => fixture.close());

const SECRET = "the-sender's-own-secret-1";
const NEXT = "the-sender's-own-secret-2";
const BODY = '{"id": 1}';
const hmac = (secret: string, body = BODY): string =>
  `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;

const addWebhook = (more: object = {}): Promise<string> =>
  fixture.addWebhook('Signed', ['worker-any'], {
    authentication: { method: 'HMAC_SIGNATURE', secret: SECRET, ...more },
  });

const QUERY = `query ($input: DiagnoseSignatureInput!) { diagnoseSignature(input: $input) {
  valid code message hints checkedSecrets { version hint status } } }`;

/** Somebody new each time: a user has 30 questions a minute. */
const ask = async (input: object, as?: Principal): ReturnType<GraphqlFixture['run']> =>
  run(QUERY, { input }, as ?? (await fixture.addUser('editor')));

describe('diagnoseSignature', () => {
  it('says what is wrong, and what it compared with', async () => {
    const webhookId = await addWebhook();
    const headers = { 'x-webhook-signature': hmac(SECRET, '{"id":1}') };
    const { data } = await ask({ webhookId, headers, body: BODY });
    expect(data.diagnoseSignature).toEqual({
      valid: false,
      code: 'BODY_RESERIALIZED',
      message: 'The signature is right, but it is of the body parsed and serialised again, instead of the raw body.',
      hints: ['Serialise once, sign those bytes and send the same bytes.'],
      checkedSecrets: [{ version: 1, hint: '…-1', status: 'ACTIVE' }],
    });
    const right = await ask({ webhookId, headers: { 'X-Webhook-Signature': hmac(SECRET) }, body: BODY });
    expect(right.data.diagnoseSignature).toMatchObject({ valid: true, code: 'VALID' });
    const bytes = await ask({
      webhookId,
      headers: { 'X-Webhook-Signature': [hmac(SECRET)] },
      bodyBase64: Buffer.from(BODY).toString('base64'),
    });
    expect(bytes.data.diagnoseSignature.code).toBe('VALID');
    const twice = await ask({
      webhookId,
      headers: { 'X-Webhook-Signature': [hmac(SECRET), hmac(SECRET)] },
      body: BODY,
    });
    expect(twice.data.diagnoseSignature.code).toBe('HEADER_REPEATED');
  });

  it('knows ended secrets, those of other webhooks, and the moment', async () => {
    const webhookId = await addWebhook();
    await run(
      `mutation ($input: RotateWebhookSecretInput!) { rotateWebhookSecret(input: $input) { userErrors { message } } }`,
      { input: { id: webhookId, secret: NEXT, overlap: 'PT1H' } },
    );
    const headers = { 'X-Webhook-Signature': hmac(SECRET) };
    const now = await ask({ webhookId, headers, body: BODY });
    expect(now.data.diagnoseSignature).toMatchObject({
      code: 'VALID',
      hints: [expect.stringContaining('retiring')],
      checkedSecrets: [
        { version: 2, status: 'ACTIVE' },
        { version: 1, status: 'RETIRING' },
      ],
    });
    const at = new Date(fixture.clock.nowMs() + 7_200_000).toISOString();
    const later = await ask({ webhookId, headers, body: BODY, at });
    expect(later.data.diagnoseSignature).toMatchObject({
      code: 'SECRET_EXPIRED',
      message: expect.stringMatching(/version 1 .* expired after a rotation at 20/),
      checkedSecrets: [{ status: 'ACTIVE' }, { status: 'EXPIRED' }],
    });
    await run(`mutation ($id: ID!) { regenerateWebhookSecret(input: { id: $id }) { userErrors { message } } }`, {
      id: webhookId,
    });
    expect((await ask({ webhookId, headers, body: BODY })).data.diagnoseSignature.code).toBe('SECRET_REVOKED');

    const theirs = 'the secret of another webhook';
    const other = await addWebhook({ secret: theirs });
    const mistaken = await ask({ webhookId, headers: { 'X-Webhook-Signature': hmac(theirs) }, body: BODY });
    expect(mistaken.data.diagnoseSignature).toMatchObject({
      code: 'SECRET_OF_OTHER_WEBHOOK',
      message: expect.stringContaining(other),
    });
  });

  it('takes the URL that the sender called', async () => {
    const url = 'http://hooks.example/api/v1/webhooks/x?b=1';
    const webhookId = await addWebhook({ method: 'PROVIDER', provider: 'twilio' });
    const headers = {
      'Content-Type': 'application/x-www-form-urlencoded',
      'X-Twilio-Signature': createHmac('sha1', SECRET).update(`${url}A1`).digest('base64'),
    };
    const { data } = await ask({ webhookId, headers, body: 'A=1', url });
    expect(data.diagnoseSignature).toMatchObject({
      code: 'URL_DIFFERS',
      message: expect.stringContaining('http://hooks.example/api/v1/webhooks/x?…, and this gateway is called https://'),
    });
    expect((await ask({ webhookId, headers, body: 'A=1', url: '/path' })).codes).toEqual(['BAD_USER_INPUT']);
  });

  it('is for those who may change the webhook, 30 times a minute', async () => {
    const webhookId = await addWebhook();
    const input = { webhookId, headers: {}, body: BODY };
    for (const role of ['viewer', 'operator'] as const) {
      expect((await ask(input, await fixture.addUser(role))).codes).toEqual(['FORBIDDEN']);
    }
    expect((await ask(input, await fixture.addUser('editor', ['webhooks:read']))).codes).toEqual(['FORBIDDEN']);
    expect((await run(QUERY, { input }, null)).codes).toEqual(['UNAUTHENTICATED']);
    const editor = await fixture.addUser('editor');
    for (let i = 0; i < 30; i += 1) expect((await ask(input, editor)).codes).toEqual([]);
    const refused = await ask(input, editor);
    expect(refused.codes).toEqual(['RATE_LIMITED']);
    expect(refused.errors[0]!.extensions).toMatchObject({ retryAfterMs: expect.any(Number) });
    expect((await ask(input)).codes).toEqual([]);
    fixture.clock.advance(60_000);
    expect((await ask(input, editor)).codes).toEqual([]);
  });

  it.each([
    [{ headers: [] }, /headers must be an object/],
    [{ headers: { a: 1 } }, /headers must be an object/],
    [{ headers: { a: [null] } }, /headers must be an object/],
    [{ headers: { a: Array(501).fill('x') } }, /over 500 headers/],
    [{ headers: {}, body: 'a', bodyBase64: 'YQ==' }, /not both/],
    [{ headers: {}, bodyBase64: 'ä' }, /not base64/],
    [{ headers: {}, url: 'https://' }, /must be whole/],
  ])('refuses %j', async (input, message) => {
    const { codes, errors } = await ask({ webhookId: await addWebhook(), ...input });
    expect(codes).toEqual(['BAD_USER_INPUT']);
    expect(errors[0]!.message).toMatch(message);
  });

  it('knows no webhook that is not there', async () => {
    const webhookId = formatId('webhook', newRandomUuid());
    expect((await ask({ webhookId, headers: {} })).codes).toEqual(['NOT_FOUND']);
    expect((await ask({ webhookId: 'wh_x', headers: {} })).codes).toEqual(['BAD_USER_INPUT']);
  });
});
