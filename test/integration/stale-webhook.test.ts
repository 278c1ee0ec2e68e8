import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { storeCalls } from '../../src/calls/store-calls.js';
import { releaseLimitedCall } from '../../src/calls/release-call.js';
import { RejectedCallRecorder } from '../../src/calls/rejected-calls.js';
import { RepeatFinder } from '../../src/calls/repeat-finder.js';
import type { Sql } from '../../src/db/database.js';
import { EventHub } from '../../src/events/event-hub.js';
import { beginWait } from '../../src/executions/wait-for.js';
import { formatId, newUuidV7 } from '../../src/lib/ids.js';
import { CallLimiter } from '../../src/rate-limits/limiter.js';
import { regenerateSecret } from '../../src/secrets/regenerate-secret.js';
import { SecretUsage } from '../../src/secrets/secret-usage.js';
import { AcceptCall } from '../../src/webhooks/accept-call.js';
import type { AcceptOutcome } from '../../src/webhooks/accept-outcome.js';
import type { AuthenticationInput } from '../../src/webhooks/manage/authentication-input.js';
import { createWebhook } from '../../src/webhooks/manage/create-webhook.js';
import { deleteWebhook } from '../../src/webhooks/manage/delete-webhook.js';
import { setActive } from '../../src/webhooks/manage/set-active.js';
import { updateWebhook } from '../../src/webhooks/manage/update-webhook.js';
import { createProvider, updateProvider } from '../../src/webhooks/providers/manage-providers.js';
import { bodyBytesMaxOf, bodyLimit } from '../../src/webhooks/rules/body-limit.js';
import { verifyReader } from '../../src/webhooks/verify-reader.js';
import { WebhookCache } from '../../src/webhooks/webhook-cache.js';
import type { InputFault } from '../../src/workers/worker-run.js';
import { type AdminFixture, openAdminFixture } from '../support/admin-fixture.js';
import { valueOf } from '../support/value-of.js';

let admin: AdminFixture;
let accept: AcceptCall;
let webhooks: WebhookCache;
let taken = 0;
let isExhausted = false;
const usedSecrets: string[] = [];
const statements: string[] = [];
let inputFaults: readonly InputFault[] = [];
const closers: (() => Promise<void> | void)[] = [];

/** An ingress that hears of no event at all: the worst that a lost notification can do. */
beforeAll(async () => {
  admin = await openAdminFixture();
  await admin.addWorkers('worker-a');
  const { database, keyring, clock, log } = admin;
  const sql = database.pool;
  const hub = new EventHub();
  const defaults = { globalPerMinute: 0, userPerMinute: 0, webhookPerMinute: 0 };
  const told: Sql = {
    query: (statement: pg.QueryConfig) => {
      statements.push(statement.name!);
      return sql.query(statement);
    },
  } as Sql;
  webhooks = new WebhookCache({ sql: told, hub, keyring, clock, listening: () => true });
  const limiter = new CallLimiter({ database, hub, log, defaults });
  const rejectedCalls = new RejectedCallRecorder({ sql, clock, log, shard: 1 });
  const repeats = new RepeatFinder(told, 0);
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
    limiter: {
      take: (subject) => {
        taken += 1;
        const refusal = { policy: 'webhook', perMinute: 1, retryAfterMs: 1, windowMs: 60_000 } as const;
        return isExhausted ? { allowed: false, refusal } : limiter.take(subject);
      },
    },
    rejectedCalls,
    explain: () => undefined,
    secretUsage: {
      note: (secretId) => {
        usedSecrets.push(secretId);
        secretUsage.note(secretId);
      },
    },
    store: async (call) => (await storeCalls(sql, 1, [call]))[0]!,
    findRepeat: (key) => repeats.find(key),
    bodyBytesMaxOf: (webhook) => bodyBytesMaxOf({ bodyBytesMax: 1_000, bodyBytesCeiling: 2_000 }, webhook),
    noteTime: () => undefined,
    flow: { enter: () => Promise.resolve(undefined), positionOf: () => Promise.resolve(undefined) },
    validateInput: () => Promise.resolve(inputFaults),
    beginWait: (callId, isStored) => beginWait({ hub, sql, clock }, callId, isStored),
    publicUrl: () => 'https://hooks.example',
    releaseLimited: (callId, keyHash) => releaseLimitedCall(sql, callId, keyHash),
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

interface Sent {
  readonly body?: string;
  /** Names and values in turn. */
  readonly headers?: readonly string[];
  readonly sourceIp?: string;
}

const send = (id: string, secret: string, { body = '{}', headers = [], sourceIp = '127.0.0.1' }: Sent = {}) =>
  accept.accept({
    method: 'POST',
    target: '/',
    webhookId: formatId('webhook', id),
    rawHeaders: ['Content-Type', 'application/json', 'X-Webhook-Secret', secret, ...headers],
    body: Buffer.from(body),
    sourceIp,
    isTest: false,
  });

const post = async (id: string, secret: string, sent?: Sent): Promise<string> => (await send(id, secret, sent)).type;

async function update(id: string, input: object): Promise<void> {
  const updated = await updateWebhook(admin, admin.owner, { id, ...input });
  if (!updated.ok) throw new Error(JSON.stringify(updated.userErrors));
}

describe('an ingress that missed a change', () => {
  it('takes and refuses calls by the definition of their sender that holds', async () => {
    const definition = (header: string): object => ({ schemes: [{ scheme: 'token', from: 'header', name: header }] });
    const made = await createProvider(admin, admin.owner, { name: 'Acme', definition: definition('X-Old') });
    if (!made.ok) throw new Error(JSON.stringify(made.userErrors));
    const { id: provider } = made.value;
    const { id, secret } = await create(true, { method: 'PROVIDER', provider });
    expect(await post(id, '', { headers: ['X-Old', secret] })).toBe('accepted');
    await updateProvider(admin, admin.owner, { id: provider, definition: definition('X-New') });
    expect(await post(id, '', { headers: ['X-Old', secret] })).toBe('unauthenticated');
    expect(await post(id, '', { headers: ['X-New', secret] })).toBe('accepted');
    await updateProvider(admin, admin.owner, { id: provider, definition: definition('X-Newest') });
    expect(await post(id, '', { headers: ['X-Newest', secret] })).toBe('accepted');
  });

  it('never stores a call with a secret that was replaced, and takes the new one at once', async () => {
    const { id, secret } = await create();
    expect(await post(id, secret)).toBe('accepted');
    const { secret: replacement } = valueOf(await regenerateSecret(admin, admin.owner, { webhookId: id }));
    expect(await post(id, replacement)).toBe('accepted');
    const { secret: newest } = valueOf(await regenerateSecret(admin, admin.owner, { webhookId: id }));
    expect(await post(id, replacement)).toBe('unauthenticated');
    expect(await post(id, newest)).toBe('accepted');
  });

  it('ignores and turns away nothing by a filter, a form, a size or an address that holds no more', async () => {
    const { id, secret } = await create();
    await update(id, { filter: 'input.wanted == true' });
    expect(await post(id, secret)).toBe('ignored');
    await update(id, { filter: null });
    expect(await post(id, secret)).toBe('accepted');
    expect(await post(id, secret, { body: '[]' })).toBe('malformed-body');
    await update(id, { acceptAnyJson: true, allowedCidrs: ['192.0.2.0/24'] });
    expect(await post(id, secret)).toBe('address-not-allowed');
    await update(id, { allowedCidrs: null });
    expect(await post(id, secret, { body: '[]' })).toBe('accepted');
    const body = `["${'x'.repeat(1_500)}"]`;
    expect(await post(id, secret, { body })).toBe('too-large');
    await update(id, { bodyBytesMax: 2_000 });
    expect(await post(id, secret, { body })).toBe('accepted');
    await update(id, { bodyBytesMax: 1_400 });
    expect(await post(id, secret, { body })).toBe('too-large'); // it was on its way when the limit was lowered
  });

  it('asks for the size before a body is refused', async () => {
    const { id } = await create();
    const limit = bodyLimit({ webhooks, bodyBytesMax: 1_000, bodyBytesCeiling: 2_000 });
    const publicId = formatId('webhook', id);
    expect(await limit(publicId)).toBe(1_000);
    await update(id, { bodyBytesMax: 1_500 });
    expect(limit(publicId)).toBe(1_000); // as it was read
    expect(await limit(publicId, admin.clock.monotonicMs())).toBe(1_500);
    expect(limit(publicId)).toBe(1_500);
  });

  it('never stores a call of a webhook that was deactivated, and takes those of one that was activated', async () => {
    const { id, secret } = await create();
    expect(await post(id, secret)).toBe('accepted');
    await setActive(admin, admin.owner, { id, active: false });
    expect(await post(id, secret)).toBe('inactive');
    await setActive(admin, admin.owner, { id, active: true });
    expect(await post(id, secret)).toBe('accepted');
  });

  it('knows a webhook that was made a moment ago', async () => {
    const { id, secret } = await create();
    const { pool } = admin.database;
    await pool.query('update webhooks set deleted_at = now() where id = $1', [id]); // as if it had not been made yet
    expect(await post(id, secret)).toBe('not-found');
    await pool.query('update webhooks set deleted_at = null where id = $1', [id]);
    expect(await post(id, secret)).toBe('accepted');
    await deleteWebhook(admin, admin.owner, { id });
    expect(await post(id, secret)).toBe('not-found');
  });

  it('lets nobody read results with a secret that was replaced', async () => {
    const { id, secret } = await create();
    const { clock } = admin;
    const request = { rawHeaders: ['X-Webhook-Secret', secret], sourceIp: '127.0.0.1' };
    expect(await verifyReader({ webhooks, clock }, id, request)).toBe(true);
    await regenerateSecret(admin, admin.owner, { webhookId: id });
    expect(await verifyReader({ webhooks, clock }, id, request)).toBe(false);
  });

  it('takes a call its share of the limits once, and notes the secret that authenticated it', async () => {
    const { id, secret } = await create();
    expect(await post(id, secret)).toBe('accepted');
    await update(id, { name: 'changed' });
    const before = taken;
    usedSecrets.length = 0;
    expect(await post(id, secret)).toBe('accepted');
    expect(taken).toBe(before + 1);
    expect(usedSecrets).toHaveLength(1);
    await regenerateSecret(admin, admin.owner, { webhookId: id });
    expect(await post(id, secret)).toBe('unauthenticated');
    expect(usedSecrets).toHaveLength(1); // the replaced one authenticated nothing
  });
});

describe('a flood of calls to turn away', () => {
  it('shares the statements that prove it', async () => {
    const { id, secret } = await create();
    expect(await post(id, secret)).toBe('accepted');
    statements.length = 0;
    const outcomes = await Promise.all(Array.from({ length: 500 }, () => post(id, 'whsec_wrong')));
    expect(new Set(outcomes)).toEqual(new Set(['unauthenticated']));
    expect(statements).toEqual(['read-webhook-versions']);
    statements.length = 0;
    const unknown = await Promise.all(Array.from({ length: 500 }, () => post(newUuidV7(), 'whsec_wrong')));
    expect(new Set(unknown)).toEqual(new Set(['not-found']));
    expect(statements).toEqual(['read-ingress-webhooks']);
  });

  it('hides no call that is right', async () => {
    const { id, secret } = await create();
    expect(await post(id, secret)).toBe('accepted');
    const { secret: replacement } = valueOf(await regenerateSecret(admin, admin.owner, { webhookId: id }));
    const flood = Array.from({ length: 200 }, () => post(id, secret));
    const right = post(id, replacement);
    expect(new Set(await Promise.all(flood))).toEqual(new Set(['unauthenticated']));
    expect(await right).toBe('accepted');
  });
});

describe('a repeat of a call that was taken', () => {
  const keyed = (body = '{}'): Sent => ({ body, headers: ['Idempotency-Key', 'order-7'] });
  const idsOf = (outcome: AcceptOutcome): unknown =>
    'call' in outcome && { callId: outcome.call.callId, executions: outcome.call.executions };

  /** Takes a call, changes what its webhook takes, and gives both outcomes of a repeat. */
  async function repeatAfter(input: object, body?: string, before: object = {}) {
    const { id, secret } = await create();
    await update(id, { name: 'before', ...before });
    const first = await send(id, secret, keyed(body));
    await update(id, input);
    return { id, secret, first, repeat: await send(id, secret, keyed(body)) };
  }

  it.each([
    ['a filter', { filter: 'input.wanted == true' }, '{}', {}],
    ['a form', { acceptAnyJson: false }, '[1]', { acceptAnyJson: true }],
    ['a size', { bodyBytesMax: 1 }, '{}', {}],
  ])('gets its answer, though the webhook has got %s that does not take it', async (_, input, body, before) => {
    const { id, secret, first, repeat } = await repeatAfter(input, body, before);
    expect(first.type).toBe('accepted');
    expect(repeat).toMatchObject({ type: 'accepted', call: { isRepeat: true } });
    expect(idsOf(repeat)).toEqual(idsOf(first));
    expect(await post(id, secret, keyed(`${body} `))).toBe('idempotency-mismatch');
    expect(await post(id, secret, { body, headers: ['Idempotency-Key', 'order-8'] })).not.toBe('accepted');
    expect(await post(id, secret, { body })).not.toBe('accepted');
  });

  it("gets its answer, though the workers' schemas do not take it", async () => {
    const { id, secret } = await create();
    const first = await send(id, secret, keyed());
    inputFaults = [{ workerId: 'worker-a', pointer: '/a', message: 'is missing' }];
    try {
      expect(idsOf(await send(id, secret, keyed()))).toEqual(idsOf(first));
      expect(await post(id, secret, keyed('{"b":1}'))).toBe('idempotency-mismatch');
      expect(await post(id, secret)).toBe('invalid-input');
    } finally {
      inputFaults = [];
    }
  });

  it('is still refused without its credential, beyond the limits, and while the webhook is inactive', async () => {
    const { id, secret } = await create();
    expect(await post(id, secret, keyed())).toBe('accepted');
    await update(id, { filter: 'input.wanted == true' });
    expect(await post(id, 'whsec_wrong', keyed())).toBe('unauthenticated');
    isExhausted = true;
    expect(await post(id, secret, keyed())).toBe('rate-limited');
    isExhausted = false;
    expect(await post(id, secret, keyed())).toBe('accepted');
    await setActive(admin, admin.owner, { id, active: false });
    expect(await post(id, secret, keyed())).toBe('inactive');
  });

  it('may be sent again when it is told to, for want of room at a model: the key is free then', async () => {
    const { id, secret } = await create();
    const first = await send(id, secret, keyed());
    await admin.database.pool.query(
      `update executions set status = 'FAILED', started_at = now(), finished_at = now(),
         error = '{"code":"MODEL_RATE_LIMITED","message":"no room","retryAfterMs":1}' where webhook_id = $1`,
      [id],
    );
    const waiting: Sent = { headers: [...keyed().headers!, 'Prefer', 'wait=1'] };
    expect(await post(id, secret, waiting)).toBe('model-limited');
    const again = await send(id, secret, keyed());
    expect(again.type).toBe('accepted');
    expect(idsOf(again)).not.toEqual(idsOf(first));
  });

  it('is looked for only where there is a key, and rules that could have taken it', async () => {
    const { id, secret } = await create();
    expect(await post(id, secret, keyed())).toBe('accepted');
    statements.length = 0;
    expect(await post(id, secret, keyed('{'))).toBe('malformed-body');
    expect(await post(id, secret, { body: '[]' })).toBe('malformed-body');
    expect(statements).not.toContain('find-first-calls');
    expect(await post(id, secret, keyed('[]'))).toBe('idempotency-mismatch');
    expect(statements).toContain('find-first-calls');
  });
});
