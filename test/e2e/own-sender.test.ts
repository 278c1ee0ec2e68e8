import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type CreatedWebhook,
  createWebhook,
  databaseEnv,
  type GatewayProcess,
  startGatewayProcess,
} from '../support/gateway-process.js';
import { pollUntil } from '../support/poll-until.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

let database: TestDatabase;
let gateway: GatewayProcess;
let webhook: CreatedWebhook;

const DEFINITION = {
  schemes: [
    {
      scheme: 'hmac',
      alg: 'sha512',
      enc: 'base64',
      header: 'X-Acme-Signature',
      extract: { item: ';', kv: ':', field: 's' },
      ts: { from: 'header', name: 'X-Acme-Time', unit: 'ms', toleranceMs: 60_000 },
      base: 'acme|{id}|{timestamp}|{body}',
      idHeader: 'X-Acme-Id',
      key: { enc: 'base64', strip: 'whsec_' },
    },
  ],
  dedup: { headers: ['X-Acme-Id'] },
};

beforeAll(async () => {
  database = await createTestDatabase();
  gateway = await startGatewayProcess({ env: databaseEnv(database.url) });
  const { createProvider } = await gateway.graphql<{ createProvider: { provider: { id: string } } }>(
    'mutation ($input: CreateProviderInput!) { createProvider(input: $input) { provider { id } userErrors { message } } }',
    { input: { name: 'Acme', definition: DEFINITION } },
  );
  const authentication = { method: 'PROVIDER', provider: createProvider.provider.id };
  webhook = await createWebhook(gateway, { authentication });
});

afterAll(async () => {
  await gateway.end('SIGTERM');
  await database.drop();
});

interface Sent {
  readonly id?: string;
  readonly atMs?: number;
  readonly secret?: string;
  /** Put in place of what was signed. */
  readonly body?: string;
  readonly signature?: (right: string) => string;
}

/** A call as the made-up sender makes it: its own few lines, nothing of the verifier's. */
async function send({ id = 'a1', atMs = Date.now(), secret = webhook.secret, ...sent }: Sent = {}): Promise<{
  status: number;
  replayed: string | null;
}> {
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
  const signed = '{"order":7}';
  const mac = createHmac('sha512', key).update(`acme|${id}|${atMs}|${signed}`).digest('base64');
  const right = `k:1;s:${mac}`;
  const response = await fetch(webhook.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-acme-signature': sent.signature?.(right) ?? right,
      'x-acme-time': String(atMs),
      'x-acme-id': id,
    },
    body: sent.body ?? signed,
  });
  return { status: response.status, replayed: response.headers.get('idempotent-replayed') };
}

describe('a sender that a user defined', () => {
  it('is verified, and known again by its id', async () => {
    expect(await send({ id: 'first' })).toEqual({ status: 202, replayed: null });
    expect(await send({ id: 'first', atMs: Date.now() - 1_000 })).toEqual({ status: 202, replayed: 'true' });
  });

  it.each<[string, Sent]>([
    ['of another secret', { secret: `whsec_${Buffer.alloc(32, 1).toString('base64')}` }],
    ['with another body', { body: '{"order":8}' }],
    ['that is old', { atMs: Date.now() - 61_000 }],
    ['of the future', { atMs: Date.now() + 90_000 }],
    ['in another encoding', { signature: (right) => Buffer.from(right.split(':')[2]!, 'base64').toString('hex') }],
    ['without the item', { signature: (right) => right.replace('s:', 't:') }],
  ])('is refused with a signature %s', async (_, sent) => {
    expect(await send({ id: 'refused', ...sent })).toMatchObject({ status: 401 });
  });

  it('gets a secret that retires, and calls by the command that is shown', async () => {
    const before = webhook.secret;
    const { rotateWebhookSecret } = await gateway.graphql<{ rotateWebhookSecret: { secret: string } }>(
      'mutation ($id: ID!) { rotateWebhookSecret(input: { id: $id }) { secret userErrors { message } } }',
      { id: webhook.id },
    );
    const { secret } = rotateWebhookSecret;
    await pollUntil('the new secret', async () =>
      (await send({ id: 'new', secret })).status === 202 ? true : undefined,
    );
    expect(await send({ id: 'old', secret: before })).toMatchObject({ status: 202 });
    expect(webhook.curl).toContain('openssl dgst -sha512');
  });

  it('changes for its webhooks as soon as it is changed', async () => {
    const { providers } = await gateway.graphql<{ providers: { id: string; name: string }[] }>(
      '{ providers { id name } }',
    );
    const { id } = providers.find(({ name }) => name === 'Acme')!;
    const definition = {
      ...DEFINITION,
      schemes: [{ ...DEFINITION.schemes[0], base: 'acme2|{id}|{timestamp}|{body}' }],
    };
    await gateway.graphql(
      'mutation ($input: UpdateProviderInput!) { updateProvider(input: $input) { userErrors { message } } }',
      { input: { id, definition } },
    );
    expect(await send({ id: 'later' })).toMatchObject({ status: 401 });
  });
});
