import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { formatId, newRandomUuid, parseId } from '../../src/lib/ids.js';
import {
  type CreatedWebhook,
  createWebhook,
  databaseEnv,
  type GatewayProcess,
  startGatewayProcess,
} from '../support/gateway-process.js';
import { pollUntil } from '../support/poll-until.js';
import { ask as askOn, bodyOf, expectProblem, post, signatureOf } from '../support/raw-calls.js';
import type { WireAnswer } from '../support/raw-connection.js';
import { TIMED_SENDERS } from '../support/senders/timed.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

let database: TestDatabase;
let sql: pg.Pool;
let gateway: GatewayProcess;
let port: number;
let signed: CreatedWebhook;
let keyed: CreatedWebhook;

beforeAll(async () => {
  database = await createTestDatabase();
  sql = new pg.Pool({ connectionString: database.url, max: 2 });
  gateway = await startGatewayProcess({ env: { ...databaseEnv(database.url), WORKERS_DIR: 'test/support/workers' } });
  port = Number(new URL(gateway.url).port);
  signed = await createWebhook(gateway);
  keyed = await createWebhook(gateway, { authentication: { method: 'API_KEY' } });
});

afterAll(async () => {
  await sql.end();
  await gateway.end('SIGTERM');
  await database.drop();
});

const ask = (...chunks: readonly (string | Uint8Array)[]): Promise<WireAnswer> => askOn(port, ...chunks);

describe('the same auth header twice: 401', () => {
  it.each([
    [
      'HMAC_SIGNATURE',
      'right and right',
      () => [signed, Array.from({ length: 2 }, () => `X-Webhook-Signature: ${signatureOf(signed, '{}')}`)] as const,
    ],
    [
      'HMAC_SIGNATURE',
      'right and wrong',
      () => [signed, [`X-Webhook-Signature: ${signatureOf(signed, '{}')}`, 'x-webhook-signature: sha256=00']] as const,
    ],
    [
      'HMAC_SIGNATURE',
      'as a list',
      () => [signed, [`X-Webhook-Signature: ${signatureOf(signed, '{}')}, ${signatureOf(signed, '{}')}`]] as const,
    ],
    [
      'API_KEY',
      'right and right',
      () => [keyed, [`X-API-Key: ${keyed.secret}`, `X-Api-Key: ${keyed.secret}`]] as const,
    ],
    ['API_KEY', 'right and empty', () => [keyed, [`X-API-Key: ${keyed.secret}`, 'X-API-Key:']] as const],
  ])('%s, %s', async (_, __, given) => {
    const [webhook, headers] = given();
    expectProblem(await ask(post(webhook, '{}', { headers })), 401, 'AUTHENTICATION_FAILED');
  });

  it.each(['Bearer', 'API key'])('but 202 once (%s)', async (kind) => {
    const webhook =
      kind === 'Bearer' ? await createWebhook(gateway, { authentication: { method: 'BEARER_TOKEN' } }) : keyed;
    const header = kind === 'Bearer' ? `Authorization: bearer ${webhook.secret}` : `x-api-key:\t ${webhook.secret} \t`;
    expect((await ask(post(webhook, '{}', { headers: [header] }))).status).toBe(202);
  });
});

describe('wrong length, non-hex, non-ASCII: 401', () => {
  const hex = 'a'.repeat(64);

  it.each([
    ['', ''],
    ['only the prefix', 'sha256='],
    ['one digit short', `sha256=${hex.slice(1)}`],
    ['one digit long', `sha256=${hex}a`],
    ['kilobytes of digits', `sha256=${'a'.repeat(8_000)}`],
    ['no hex', `sha256=${'g'.repeat(64)}`],
    ['Latin-1', `sha256=${'\u00e9'.repeat(64)}`],
    ['bytes of UTF-8', `sha256=${Buffer.from('ａ'.repeat(64)).toString('latin1')}`],
    ['Base64', `sha256=${Buffer.alloc(32, 1).toString('base64')}`],
    ['another prefix', `sha512=${hex}`],
    ['the prefix in upper case', `SHA256=${hex}`],
    ['a space in it', `sha256= ${hex}`],
    ['the right length, wrong', `sha256=${hex}`],
  ])('a signature: %s', async (_, value) => {
    const answer = await ask(post(signed, '{}', { headers: [`X-Webhook-Signature: ${value}`] }));
    expectProblem(answer, 401, 'AUTHENTICATION_FAILED');
  });

  it.each([
    ['empty', () => ''],
    ['one character short', () => keyed.secret.slice(0, -1)],
    ['one character long', () => `${keyed.secret}=`],
    ['in another case', () => keyed.secret.toUpperCase()],
    ['Latin-1', () => '\u00ff'.repeat(keyed.secret.length)],
    ['kilobytes', () => keyed.secret.repeat(100)],
  ])('a secret: %s', async (_, value) => {
    const answer = await ask(post(keyed, '{}', { headers: [`X-API-Key: ${value()}`] }));
    expectProblem(answer, 401, 'AUTHENTICATION_FAILED');
  });

  it('with one answer for all: nothing tells how near it was', async () => {
    const values = ['', 'sha256=00', signatureOf(signed, '{ }'), `sha256=${'0'.repeat(64)}`];
    const answers = await Promise.all(
      values.map((value) => ask(post(signed, '{}', { headers: [`X-Webhook-Signature: ${value}`, 'X-Request-Id: r'] }))),
    );
    const texts = answers.map((answer) => answer.body.replace(/"timestamp":"[^"]*"/, ''));
    expect(new Set(texts).size).toBe(1);
  });
});

describe('a replay of a signed request', () => {
  const sender = TIMED_SENDERS.find(({ provider }) => provider === 'standard-webhooks')!;
  const [secret] = sender.secrets;

  async function signedAt(webhook: CreatedWebhook, atMs: number): Promise<Buffer> {
    const { headers, body } = await sender.sign(secret, sender.body, { url: webhook.url, atMs });
    return post(webhook, body, { headers: Object.entries(headers).map(([name, value]) => `${name}: ${value}`) });
  }

  it('is refused by its timestamp: 401', async () => {
    const webhook = await createWebhook(gateway, {
      authentication: { method: 'PROVIDER', provider: sender.provider, secret },
    });
    expectProblem(await ask(await signedAt(webhook, Date.now() - 600_000)), 401, 'AUTHENTICATION_FAILED');
    expectProblem(await ask(await signedAt(webhook, Date.now() + 600_000)), 401, 'AUTHENTICATION_FAILED');
  });

  it('is known by its id while its timestamp is good: the answer of the first one', async () => {
    const webhook = await createWebhook(gateway, {
      authentication: { method: 'PROVIDER', provider: sender.provider, secret },
    });
    const bytes = await signedAt(webhook, Date.now());
    const [first, second] = [await ask(bytes), await ask(bytes)];
    expect([first.status, second.status]).toEqual([202, 202]);
    expect(bodyOf(second).callId).toBe(bodyOf(first).callId);
    expect(second.headers.get('idempotent-replayed')).toBe('true');
  });
});

describe('unknown webhook: 404', () => {
  const unknown = {
    id: '',
    curl: '',
    secret: 'x',
    url: `http://x/api/v1/webhooks/${formatId('webhook', newRandomUuid())}`,
  };

  it.each([
    ['a signature', []],
    ['no signature', ['X-Webhook-Signature:']],
    ['two signatures', ['X-Webhook-Signature: a', 'X-Webhook-Signature: b']],
  ])('with %s', async (_, headers) => {
    expectProblem(await ask(post(unknown, '{}', { headers })), 404, 'WEBHOOK_NOT_FOUND');
  });
});

describe('inactive: 403 only after authentication', () => {
  it('is told to nobody else, whatever is wrong with the rest', async () => {
    const webhook = await createWebhook(gateway);
    await gateway.graphql(
      'mutation ($id: ID!) { deactivateWebhook(input: { id: $id }) { userErrors { code } } }',
      webhook,
    );
    expectProblem(await ask(post(webhook)), 403, 'WEBHOOK_INACTIVE');
    expectProblem(await ask(post(webhook, '[')), 403, 'WEBHOOK_INACTIVE');
    const wrong = ['X-Webhook-Signature: sha256=00'];
    expectProblem(await ask(post(webhook, '{}', { headers: wrong })), 401, 'AUTHENTICATION_FAILED');
    expectProblem(await ask(post(webhook, '[', { headers: wrong })), 401, 'AUTHENTICATION_FAILED');
  });
});

describe('a retiring secret: accepted until its expiry and recorded, then 401', () => {
  it('by the clock, without any other event', async () => {
    const webhook = await createWebhook(gateway);
    const { rotateWebhookSecret } = await gateway.graphql<{ rotateWebhookSecret: { secret: string } }>(
      `mutation ($id: ID!) {
        rotateWebhookSecret(input: { id: $id, overlap: "PT2S" }) { secret userErrors { message } }
      }`,
      { id: webhook.id },
    );
    expect((await ask(post(webhook))).status).toBe(202);
    const refused = await pollUntil('the expiry', async () => {
      const answer = await ask(post(webhook));
      return answer.status === 202 ? undefined : answer;
    });
    expectProblem(refused, 401, 'AUTHENTICATION_FAILED');
    expect((await ask(post({ ...webhook, secret: rotateWebhookSecret.secret }))).status).toBe(202);
    const used = await pollUntil('the record', async () => {
      const { rows } = await sql.query<{ used: boolean }>(
        'select last_used_at is not null as used from webhook_secrets where webhook_id = $1',
        [parseId('webhook', webhook.id)],
      );
      return rows.every((row) => row.used) ? rows.length : undefined;
    });
    expect(used).toBe(2);
  });
});
