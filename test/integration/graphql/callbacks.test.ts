import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Principal } from '../../../src/access/principal.js';
import { callbackSecretSealedFor } from '../../../src/callbacks/callback-settings.js';
import { callbacksSql } from '../../../src/calls/callback-sql.js';
import { formatId, newUuidV7, parseId } from '../../../src/lib/ids.js';
import { type GraphqlFixture, openGraphqlFixture } from '../../support/graphql-fixture.js';

const URL_A = 'https://receiver.example/a';
const URL_B = 'https://receiver.example/b';

let fixture: GraphqlFixture;
let operator: Principal;
let viewer: Principal;

beforeAll(async () => {
  fixture = await openGraphqlFixture();
  await fixture.addWorkers('worker-a');
  operator = await fixture.addUser('operator');
  viewer = await fixture.addUser('viewer');
});

afterAll(() => fixture.close());

const sql = () => fixture.database.pool;

const create = async (callbackUrl?: string): Promise<{ id: string; callbackSecret: string | null }> => {
  const { data } = await fixture.run(
    `mutation ($input: CreateWebhookInput!) {
      createWebhook(input: $input) { webhook { id callbackUrl } callbackSecret userErrors { code } }
    }`,
    { input: { name: 'Told', workerIds: ['worker-a'], authentication: { method: 'BEARER_TOKEN' }, callbackUrl } },
  );
  const { webhook, callbackSecret } = data.createWebhook;
  return { id: webhook.id, callbackSecret };
};

const update = async (id: string, callbackUrl: string | null): Promise<Record<string, unknown>> => {
  const { data } = await fixture.run(
    `mutation ($input: UpdateWebhookInput!) {
      updateWebhook(input: $input) {
        webhook { version callbackUrl callbackSecretHint } callbackSecret userErrors { field code }
      }
    }`,
    { input: { id, callbackUrl } },
  );
  return data.updateWebhook;
};

/** Ends a call as any statement that ends calls does. */
const endCall = async (webhookId: string, receivedAtMs = Date.now()): Promise<string> => {
  const { callId } = await fixture.addCall({ webhookId, workerIds: ['worker-a'], receivedAtMs });
  await sql().query(
    `with done as (
       update calls set outcome = 'SUCCEEDED', pending = 0, finished_at = now() where id = $1
       returning id, webhook_id, true as finished
     ), ${callbacksSql('done')} select (table callback_jobs)`,
    [parseId('call', callId)],
  );
  return callId;
};

const storedSecret = async (webhookId: string): Promise<string> => {
  const id = parseId('webhook', webhookId)!;
  const { rows } = await sql().query<{ sealed: Buffer; version: number }>(
    'select sealed, secret_version as version from webhook_callbacks where webhook_id = $1',
    [id],
  );
  return fixture.keyring.open(rows[0]!.sealed, callbackSecretSealedFor(id, rows[0]!.version)).toString();
};

describe('the callback URL of a webhook', () => {
  it('comes with a signing secret, which is shown once', async () => {
    const { id, callbackSecret } = await create(URL_A);
    expect(callbackSecret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(await storedSecret(id)).toBe(callbackSecret);
    const { data } = await fixture.run(`{ webhook(id: "${id}") { callbackUrl callbackSecretHint } }`);
    expect(data.webhook).toEqual({ callbackUrl: URL_A, callbackSecretHint: `…${callbackSecret!.slice(-4)}` });
  });

  it('has its token shown only to those who may change the webhook', async () => {
    const url = `${URL_A}?token=s3cret&s3cret`;
    const { id } = await create(url);
    const shownTo = async (principal?: Principal): Promise<unknown> =>
      (await fixture.run(`{ webhook(id: "${id}") { callbackUrl } }`, {}, principal)).data.webhook;
    const masked = { callbackUrl: `${URL_A}?token=***&***` };
    expect(await shownTo()).toEqual({ callbackUrl: url });
    expect(await shownTo(await fixture.addUser('editor'))).toEqual({ callbackUrl: url });
    expect(await shownTo(operator)).toEqual(masked);
    expect(await shownTo(viewer)).toEqual(masked);
    const narrowed = { ...fixture.owner, scopes: ['webhooks:read'] };
    expect(await shownTo(narrowed)).toEqual(masked);
  });

  it('can be set later, changed under the same secret, and taken away with it', async () => {
    const { id, callbackSecret: none } = await create();
    expect(none).toBeNull();
    const first = await update(id, URL_A);
    expect(first).toMatchObject({ webhook: { version: 2, callbackUrl: URL_A }, userErrors: [] });
    expect(first['callbackSecret']).toMatch(/^whsec_/);
    const second = await update(id, URL_B);
    expect(second).toMatchObject({ webhook: { version: 3, callbackUrl: URL_B }, callbackSecret: null });
    expect(await storedSecret(id)).toBe(first['callbackSecret']);
    expect(await update(id, URL_B)).toMatchObject({ webhook: { version: 3 } });
    expect(await update(id, null)).toMatchObject({
      webhook: { version: 4, callbackUrl: null, callbackSecretHint: null },
    });
    expect((await update(id, URL_B))['callbackSecret']).not.toBe(first['callbackSecret']);
  });

  it.each([
    ['ftp://receiver.example/', 'INVALID_URL'],
    ['https://user:password@receiver.example/', 'INVALID_URL'],
    ['receiver', 'INVALID_URL'],
    [`https://receiver.example/${'a'.repeat(2_048)}`, 'TOO_LONG'],
  ])('is refused as %s', async (url, code) => {
    const { id } = await create();
    expect(await update(id, url)).toMatchObject({ webhook: null, userErrors: [{ field: ['callbackUrl'], code }] });
  });

  it('goes with a webhook that is deleted', async () => {
    const { id } = await create(URL_A);
    await fixture.run(`mutation { deleteWebhook(input: { id: "${id}" }) { deletedWebhookId } }`);
    const { rows } = await sql().query('select 1 from webhook_callbacks where webhook_id = $1', [
      parseId('webhook', id),
    ]);
    expect(rows).toEqual([]);
  });
});

describe('regenerateWebhookCallbackSecret', () => {
  const regenerate = (id: string, as?: Principal) =>
    fixture.run(
      `mutation { regenerateWebhookCallbackSecret(input: { id: "${id}" }) {
        webhook { callbackSecretHint } callbackSecret userErrors { field code }
      } }`,
      {},
      as,
    );

  it('replaces the secret, audited without a word of it', async () => {
    const { id, callbackSecret } = await create(URL_A);
    const { data } = await regenerate(id);
    const renewed = data.regenerateWebhookCallbackSecret.callbackSecret;
    expect(renewed).not.toBe(callbackSecret);
    expect(await storedSecret(id)).toBe(renewed);
    const { rows } = await sql().query(
      'select action, subject_id, details from audit_events order by seq desc limit 1',
    );
    expect(rows).toEqual([{ action: 'webhook.callback-secret-regenerated', subject_id: id, details: {} }]);
  });

  it('is for who may rotate secrets, and for webhooks with a callback', async () => {
    const { id } = await create(URL_A);
    expect((await regenerate(id, operator)).codes).toEqual(['FORBIDDEN']);
    const { id: untold } = await create();
    expect((await regenerate(untold)).data.regenerateWebhookCallbackSecret.userErrors).toEqual([
      { field: ['id'], code: 'NO_CALLBACK' },
    ]);
    expect((await regenerate(formatId('webhook', newUuidV7()))).codes).toEqual(['NOT_FOUND']);
  });
});

describe('callbacks', () => {
  it('show on their call, and on their webhook by status, the newest call first', async () => {
    const { id } = await create(URL_A);
    const callIds: string[] = [];
    for (let n = 0; n < 3; n += 1) callIds.push(await endCall(id, Date.now() - 10_000 + n));
    const shown = `id status attemptCount nextAttemptAt call { id } attempts { number httpStatus error responseBody durationMs at }`;
    const { data: one } = await fixture.run(`{ call(id: "${callIds[1]}") { callback { ${shown} } } }`);
    expect(one.call.callback).toMatchObject({
      status: 'PENDING',
      attemptCount: 0,
      call: { id: callIds[1] },
      attempts: [],
    });
    const callbackId = parseId('callback', one.call.callback.id);
    await sql().query("update callbacks set status = 'FAILED', attempts = 1 where id = $1", [callbackId]);
    await sql().query(
      "insert into callback_attempts values ($1, 1, now(), 12, 500, 'The receiver answered with status 500.', 'no')",
      [callbackId],
    );
    const { data } = await fixture.run(
      `query ($id: ID!) {
      webhook(id: $id) {
        all: callbacks(first: 2) { totalCount pageInfo { hasNextPage } nodes { call { id } } }
        failed: callbacks(statuses: [FAILED]) { totalCount nodes { ${shown} } }
      }
    }`,
      { id },
    );
    expect(data.webhook.all).toEqual({
      totalCount: 3,
      pageInfo: { hasNextPage: true },
      nodes: [{ call: { id: callIds[2] } }, { call: { id: callIds[1] } }],
    });
    expect(data.webhook.failed).toMatchObject({
      totalCount: 1,
      nodes: [
        { call: { id: callIds[1] }, attempts: [{ number: 1, httpStatus: 500, responseBody: 'no', durationMs: 12 }] },
      ],
    });
    const { data: again } = await fixture.run(`{ node(id: "${one.call.callback.id}") { id } }`);
    expect(again.node.id).toBe(one.call.callback.id);
  });

  it('are null for calls of webhooks without a callback', async () => {
    const { id } = await create();
    const callId = await endCall(id);
    const { data } = await fixture.run(`{ call(id: "${callId}") { callback { id } } }`);
    expect(data.call.callback).toBeNull();
  });
});

describe('replayCallback', () => {
  const replay = (id: string, as?: Principal) =>
    fixture.run(
      `mutation { replayCallback(input: { id: "${id}" }) { callback { status nextAttemptAt } userErrors { code } } }`,
      {},
      as,
    );
  const callbackOf = async (callId: string): Promise<string> =>
    (await fixture.run(`{ call(id: "${callId}") { callback { id } } }`)).data.call.callback.id;
  const jobsOf = async (callbackId: string): Promise<number> => {
    const { rows } = await sql().query<{ n: number }>(
      "select count(*)::integer as n from graphile_worker._private_jobs where payload->>'callbackId' = $1",
      [parseId('callback', callbackId)],
    );
    return rows[0]!.n;
  };

  it('makes a callback that was given up due again, by an operator, audited', async () => {
    const { id } = await create(URL_A);
    const callbackId = await callbackOf(await endCall(id));
    await sql().query(
      "update callbacks set status = 'FAILED', tries = 8, attempts = 8, next_attempt_at = null where id = $1",
      [parseId('callback', callbackId)],
    );
    const { data } = await replay(callbackId, operator);
    expect(data.replayCallback).toMatchObject({ callback: { status: 'PENDING' }, userErrors: [] });
    expect(await jobsOf(callbackId)).toBe(1);
    const { rows } = await sql().query('select tries, attempts, round from callbacks where id = $1', [
      parseId('callback', callbackId),
    ]);
    expect(rows).toEqual([{ tries: 0, attempts: 8, round: 2 }]);
    const audit = await sql().query('select action, subject_id from audit_events order by seq desc limit 1');
    expect(audit.rows).toEqual([{ action: 'callback.replayed', subject_id: callbackId }]);
  });

  it('is refused to viewers, for callbacks that are none, and for webhooks without a URL', async () => {
    const { id } = await create(URL_A);
    const callbackId = await callbackOf(await endCall(id));
    expect((await replay(callbackId, viewer)).codes).toEqual(['FORBIDDEN']);
    expect((await replay(formatId('callback', newUuidV7()))).codes).toEqual(['NOT_FOUND']);
    expect((await replay(id)).codes).toEqual(['BAD_USER_INPUT']);
    await update(id, null);
    expect((await replay(callbackId)).data.replayCallback.userErrors).toEqual([{ code: 'NO_CALLBACK' }]);
  });
});
