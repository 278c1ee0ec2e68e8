import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { storeCalls } from '../../src/calls/store-calls.js';
import { RejectedCallRecorder } from '../../src/calls/rejected-calls.js';
import { EventHub } from '../../src/events/event-hub.js';
import { beginWait } from '../../src/executions/wait-for.js';
import { formatId } from '../../src/lib/ids.js';
import { CallLimiter } from '../../src/rate-limits/limiter.js';
import { regenerateSecret } from '../../src/secrets/regenerate-secret.js';
import { SecretUsage } from '../../src/secrets/secret-usage.js';
import { AcceptCall } from '../../src/webhooks/accept-call.js';
import type { AuthenticationInput } from '../../src/webhooks/manage/authentication-input.js';
import { createWebhook } from '../../src/webhooks/manage/create-webhook.js';
import { setActive } from '../../src/webhooks/manage/set-active.js';
import { updateWebhook } from '../../src/webhooks/manage/update-webhook.js';
import { createProvider, updateProvider } from '../../src/webhooks/providers/manage-providers.js';
import { WebhookCache } from '../../src/webhooks/webhook-cache.js';
import { type AdminFixture, openAdminFixture } from '../support/admin-fixture.js';

let admin: AdminFixture;
let accept: AcceptCall;
const closers: (() => Promise<void> | void)[] = [];

/** An ingress that hears of no event at all: the worst that a lost notification can do. */
beforeAll(async () => {
  admin = await openAdminFixture();
  await admin.addWorkers('worker-a');
  const { database, keyring, clock, log } = admin;
  const sql = database.pool;
  const hub = new EventHub();
  const defaults = { globalPerMinute: 0, userPerMinute: 0, webhookPerMinute: 0 };
  const webhooks = new WebhookCache({ sql, hub, keyring, clock, listening: () => true });
  const limiter = new CallLimiter({ database, hub, log, defaults });
  const rejectedCalls = new RejectedCallRecorder({ sql, clock, log, shard: 1 });
  const secretUsage = new SecretUsage({ sql, clock, log });
  closers.push(
    () => webhooks.close(),
    () => limiter.close(),
    () => rejectedCalls.close(),
    () => secretUsage.close(),
    () => hub.close(),
  );
  accept = new AcceptCall({
    webhooks,
    limiter,
    rejectedCalls,
    explain: () => undefined,
    secretUsage,
    store: async (call) => (await storeCalls(sql, 1, [call]))[0]!,
    noteTime: () => undefined,
    flow: { enter: () => Promise.resolve(undefined), positionOf: () => Promise.resolve(undefined) },
    validateInput: () => Promise.resolve([]),
    beginWait: (callId, isStored) => beginWait({ hub, sql, clock }, callId, isStored),
    publicUrl: () => 'https://hooks.example',
    releaseLimited: async () => undefined, // no model in these tests
    noteDeadline: () => undefined,
    syncTimeoutMs: 1_000,
    preferWaitMsMax: 1_000,
    idempotencyWindowMs: 60_000,
    clock,
    log,
  });
});

afterAll(async () => {
  for (const close of closers) await close();
  await admin.close();
});

async function create(
  active = true,
  authentication: AuthenticationInput = { method: 'SECRET_HEADER' },
): Promise<{ id: string; secret: string }> {
  const created = await createWebhook(admin, admin.owner, {
    name: 'test',
    workerIds: ['worker-a'],
    executionMode: 'ASYNC',
    dispatch: 'PARALLEL',
    active,
    authentication,
  });
  if (!created.ok) throw new Error(JSON.stringify(created.userErrors));
  return { id: created.value.webhook.id, secret: created.value.secret! };
}

const post = async (id: string, secret: string, header = 'X-Webhook-Secret', body = '{}'): Promise<string> => {
  const outcome = await accept.accept({
    method: 'POST',
    target: '/',
    webhookId: formatId('webhook', id),
    rawHeaders: ['Content-Type', 'application/json', header, secret],
    body: Buffer.from(body),
    sourceIp: '127.0.0.1',
    isTest: false,
  });
  return outcome.type;
};

describe('an ingress that missed a change', () => {
  it('never stores a call by a definition of its sender that was replaced', async () => {
    const definition = (header: string): object => ({ schemes: [{ scheme: 'token', from: 'header', name: header }] });
    const made = await createProvider(admin, admin.owner, { name: 'Acme', definition: definition('X-Old') });
    if (!made.ok) throw new Error(JSON.stringify(made.userErrors));
    const { id: provider } = made.value;
    const { id, secret } = await create(true, { method: 'PROVIDER', provider });
    expect(await post(id, secret, 'X-Old')).toBe('accepted');
    await updateProvider(admin, admin.owner, { id: provider, definition: definition('X-New') });
    expect(await post(id, secret, 'X-Old')).toBe('unauthenticated');
    expect(await post(id, secret, 'X-New')).toBe('accepted');
  });

  it('never stores a call with a secret that was replaced, and takes the new one at once', async () => {
    const { id, secret } = await create();
    expect(await post(id, secret)).toBe('accepted');
    const { secret: replacement } = await regenerateSecret(admin, admin.owner, { webhookId: id });
    expect(await post(id, secret)).toBe('unauthenticated');
    expect(await post(id, replacement)).toBe('accepted');
  });

  it('ignores and turns away nothing by a filter or a form that is more than a second old', async () => {
    const { id, secret } = await create();
    const update = async (input: object): Promise<void> => {
      const updated = await updateWebhook(admin, admin.owner, { id, ...input });
      if (!updated.ok) throw new Error(JSON.stringify(updated.userErrors));
      admin.clock.advance(1_001);
    };
    await update({ filter: 'input.wanted == true' });
    expect(await post(id, secret)).toBe('ignored');
    await update({ filter: null });
    expect(await post(id, secret)).toBe('accepted');
    expect(await post(id, secret, undefined, '[]')).toBe('malformed-body');
    await update({ acceptAnyJson: true });
    expect(await post(id, secret, undefined, '[]')).toBe('accepted');
  });

  it('never stores a call of a webhook that was deactivated', async () => {
    const { id, secret } = await create();
    expect(await post(id, secret)).toBe('accepted');
    await setActive(admin, admin.owner, { id, active: false });
    expect(await post(id, secret)).toBe('inactive');
  });

  it('refuses nobody for longer than a second because of what it missed', async () => {
    const { id, secret } = await create(false);
    expect(await post(id, secret)).toBe('inactive');
    await setActive(admin, admin.owner, { id, active: true });
    expect(await post(id, secret)).toBe('inactive'); // read a moment ago
    admin.clock.advance(1_001);
    expect(await post(id, secret)).toBe('accepted');
  });
});
