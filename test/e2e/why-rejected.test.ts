import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  ADMIN_TOKEN,
  type CreatedWebhook,
  createWebhook,
  databaseEnv,
  type GatewayProcess,
  startGatewayProcess,
} from '../support/gateway-process.js';
import { pollUntil } from '../support/poll-until.js';
import { readPage, textsOf } from '../support/page.js';
import { runScript } from '../support/shell.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

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

interface RejectedNode {
  readonly rejectionCode: string;
  readonly rejectionReason: string;
  readonly requestHeaders: Record<string, string>;
}

/** The call log of a webhook once it counts so many rejected calls: rows and counts are committed together. */
async function logOf({ id }: CreatedWebhook, rejected: number): Promise<readonly RejectedNode[]> {
  await pollUntil('the record', async () => {
    const { webhook } = await gateway.graphql<{ webhook: { statistics: { rejected: number } } }>(
      'query ($id: ID!) { webhook(id: $id) { statistics { rejected } } }',
      { id },
    );
    return webhook.statistics.rejected === rejected ? true : undefined;
  });
  const { calls } = await gateway.graphql<{ calls: { nodes: readonly RejectedNode[] } }>(
    'query ($id: ID!) { calls(first: 100, webhookId: $id) { nodes { rejectionCode rejectionReason requestHeaders } } }',
    { id },
  );
  return calls.nodes;
}

const post = async (url: string, headers: Record<string, string>, body = '{"id": 1}'): Promise<[number, string]> => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body,
  });
  return [response.status, ((await response.json()) as { error: string }).error];
};

describe('a call that was not authenticated', () => {
  // A webhook each: of one, two calls a second are looked into.
  it.each<[string, (secret: string, hmac: (body: string) => string) => Record<string, string>]>([
    ['BODY_RESERIALIZED', (_, hmac) => ({ 'X-Webhook-Signature': `sha256=${hmac('{"id":1}')}` })],
    ['PREFIX_MISSING', (_, hmac) => ({ 'X-Webhook-Signature': hmac('{"id": 1}') })],
    ['HEADER_MISNAMED', (_, hmac) => ({ 'X-Webhook-Signatures': `sha256=${hmac('{"id": 1}')}` })],
    ['SECRET_SENT', (secret) => ({ 'X-Webhook-Signature': secret })],
    ['OTHER_METHOD', (secret) => ({ 'X-Webhook-Secret': secret })],
    ['HEADER_MISSING', (secret) => ({ 'X-Note': `the secret is ${secret}` })],
  ])('has its precise reason in the log, %s; its caller learns nothing of it', async (code, headersOf) => {
    const webhook = await createWebhook(gateway);
    const hmac = (body: string): string => createHmac('sha256', webhook.secret).update(body).digest('hex');
    expect(await post(webhook.url, headersOf(webhook.secret, hmac))).toEqual([
      401,
      'The request could not be authenticated for this webhook.',
    ]);
    const nodes = await logOf(webhook, 1);
    expect(nodes).toEqual([
      expect.objectContaining({ rejectionCode: code, rejectionReason: expect.stringMatching(/\.$/) }),
    ]);
    const recorded = JSON.stringify(nodes);
    expect(recorded).not.toContain(webhook.secret);
    expect(recorded).not.toContain(hmac('{"id": 1}'));
    expect(gateway.logged()).not.toContain(webhook.secret);
  });

  it('is counted in a flood, and some are looked into', async () => {
    const webhook = await createWebhook(gateway, { authentication: { method: 'SECRET_HEADER' } });
    const statuses = await Promise.all(
      Array.from({ length: 300 }, async () => (await post(webhook.url, { Authorization: 'Bearer x' }))[0]),
    );
    expect(new Set(statuses)).toEqual(new Set([401]));
    const nodes = await logOf(webhook, 300);
    expect(nodes.length).toBeLessThan(300);
    const codes = new Set(nodes.map(({ rejectionCode }) => rejectionCode));
    expect(codes).toContain('OTHER_METHOD');
    expect(codes.isSubsetOf(new Set(['OTHER_METHOD', 'AUTHENTICATION_FAILED']))).toBe(true);
  });

  it('has the code of its answer when something else was wrong', async () => {
    const webhook = await createWebhook(gateway, { authentication: { method: 'SECRET_HEADER' } });
    expect((await post(webhook.url, { 'X-Webhook-Secret': webhook.secret }, 'no JSON'))[0]).toBe(400);
    const [node] = await logOf(webhook, 1);
    expect(node).toMatchObject({ rejectionCode: 'MALFORMED_BODY' });
  });
});

describe('the example of the page', () => {
  it('answers what stands there', async () => {
    const page = await readPage('docs/signatures.md');
    const [command, answer] = ['sh', 'json'].map((kind) => textsOf(page, kind)[0]!);
    const webhook = await createWebhook(gateway);
    const printed = await runScript(command!, {
      WORKHOOK: gateway.url,
      TOKEN: ADMIN_TOKEN,
      WEBHOOK_ID: webhook.id,
      SIGNATURE: createHmac('sha256', webhook.secret).update('{"id":1}').digest('hex'),
    });
    const expected = JSON.parse(answer!) as { data: { diagnoseSignature: { checkedSecrets: { hint: string }[] } } };
    expected.data.diagnoseSignature.checkedSecrets[0]!.hint = `…${webhook.secret.slice(-4)}`;
    expect(JSON.parse(printed)).toMatchObject(expected);
  });
});
