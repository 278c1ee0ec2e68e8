import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Principal } from '../../src/access/principal.js';
import { EventHub } from '../../src/events/event-hub.js';
import { EventListener } from '../../src/events/event-listener.js';
import { topics } from '../../src/events/event.js';
import { newRandomUuid, newUuidV7 } from '../../src/lib/ids.js';
import type { Outcome } from '../../src/lib/user-error.js';
import { createWebhook, type CreateWebhookInput } from '../../src/webhooks/manage/create-webhook.js';
import { deleteWebhook } from '../../src/webhooks/manage/delete-webhook.js';
import {
  countWebhooks,
  listWebhooks,
  NEWEST_WEBHOOKS_FIRST,
  type WebhookFilter,
  type WebhookOrder,
} from '../../src/webhooks/manage/list-webhooks.js';
import { readWebhooks } from '../../src/webhooks/manage/read-webhooks.js';
import { setActive } from '../../src/webhooks/manage/set-active.js';
import { updateWebhook, type UpdateWebhookInput } from '../../src/webhooks/manage/update-webhook.js';
import type { WebhookView } from '../../src/webhooks/manage/webhook-view.js';
import { WebhookCache } from '../../src/webhooks/webhook-cache.js';
import { type AdminFixture, openAdminFixture } from '../support/admin-fixture.js';

const INPUT: CreateWebhookInput = {
  name: 'Orders',
  workerIds: ['worker-one', 'worker-two'],
  executionMode: 'ASYNC',
  dispatch: 'SEQUENTIAL',
  active: true,
  authentication: { method: 'HMAC_SIGNATURE' },
};

let fixture: AdminFixture;
let editor: Principal;

beforeAll(async () => {
  fixture = await openAdminFixture();
  editor = await fixture.addUser('editor');
  await fixture.addWorkers('worker-one', 'worker-two', 'worker-three', 'worker-gone');
  await fixture.database.pool.query("update workers set deleted_at = now() where id = 'worker-gone'");
});

afterAll(() => fixture.close());

function valueOf<T>(outcome: Outcome<T>): T {
  if (outcome.ok) return outcome.value;
  throw new Error(JSON.stringify(outcome.userErrors));
}

const create = async (input: Partial<CreateWebhookInput> = {}): Promise<WebhookView> =>
  valueOf(await createWebhook(fixture, editor, { ...INPUT, ...input })).webhook;

const update = async (input: UpdateWebhookInput): Promise<Outcome<WebhookView>> => {
  const outcome = await updateWebhook(fixture, editor, input);
  return outcome.ok ? { ok: true, value: outcome.value.webhook } : outcome;
};

const faults = (outcome: Outcome<unknown>): string[] =>
  outcome.ok ? [] : outcome.userErrors.map(({ field, code }) => `${field.join('.')} ${code}`);

const read = async (id: string): Promise<WebhookView | undefined> => (await readWebhooks(fixture, editor, [id]))[0];

const lastAudit = async (): Promise<Record<string, unknown>> =>
  (await fixture.database.pool.query('select * from audit_events order by seq desc limit 1')).rows[0];

describe('creating a webhook', () => {
  it('gives the webhook, its workers in order, and its secret once', async () => {
    const { webhook, secret } = valueOf(await createWebhook(fixture, editor, { ...INPUT, name: ' Orders ' }));
    expect(webhook).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      name: 'Orders',
      description: null,
      active: true,
      executionMode: 'ASYNC',
      dispatch: 'SEQUENTIAL',
      syncTimeoutMs: null,
      authentication: {
        method: 'HMAC_SIGNATURE',
        headerName: 'X-Webhook-Signature',
        headerPrefix: 'sha256=',
        provider: null,
      },
      idempotencyWindowMs: null,
      idempotencyPointer: null,
      callback: null,
      rules: {},
      flow: null,
      workerIds: ['worker-one', 'worker-two'],
      secrets: [
        {
          id: expect.any(String),
          version: 1,
          hint: `…${secret!.slice(-4)}`,
          state: 'active',
          createdAt: expect.any(Date),
          expiresAt: null,
          lastUsedAt: null,
        },
      ],
      version: 1,
      ownerId: editor.userId,
      createdAt: expect.any(Date),
      updatedAt: expect.any(Date),
    });
    expect(Math.abs(webhook.createdAt.getTime() - fixture.clock.nowMs())).toBeLessThan(10_000);
    expect(secret).toMatch(/^whsec_/);
    expect(await read(webhook.id)).toEqual(webhook);
    expect(await lastAudit()).toMatchObject({ action: 'webhook.created', user_id: editor.userId });
  });

  it('makes one for all who come with the same key, and shows its secret to the first', async () => {
    const input = { ...INPUT, name: 'Once', idempotencyKey: 'the button' };
    const outcomes = await Promise.all(
      Array.from({ length: 5 }, async () => valueOf(await createWebhook(fixture, editor, input))),
    );
    expect(new Set(outcomes.map(({ webhook }) => webhook.id)).size).toBe(1);
    expect(outcomes.filter(({ secret }) => secret !== undefined)).toHaveLength(1);
    expect(await countWebhooks(fixture, editor, { text: 'Once' })).toBe(1);

    const same = {
      ...input,
      name: ' Once ',
      description: null,
      filter: null,
      allowedCidrs: [],
      acceptAnyJson: false,
      callbackUrl: null,
      syncTimeoutMs: null,
    };
    expect(valueOf(await createWebhook(fixture, editor, same)).webhook.id).toBe(outcomes[0]!.webhook.id);
    const other = await createWebhook(fixture, editor, { ...input, name: 'Once more' });
    expect(faults(other)).toEqual(['idempotencyKey IDEMPOTENCY_MISMATCH']);
    expect(faults(await createWebhook(fixture, editor, { ...input, idempotencyKey: '' }))).toEqual([
      'idempotencyKey INVALID_KEY',
    ]);
    const colleague = await fixture.addUser('editor');
    expect(valueOf(await createWebhook(fixture, colleague, input)).secret).toBeDefined();

    await deleteWebhook(fixture, editor, { id: outcomes[0]!.webhook.id });
    await expect(createWebhook(fixture, editor, input)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await fixture.database.pool.query("update creation_keys set expires_at = now() - interval '1 second'");
    expect(valueOf(await createWebhook(fixture, editor, input)).secret).toBeDefined();
  });

  it('keeps a key free for what was refused', async () => {
    const input = { ...INPUT, idempotencyKey: 'mended' };
    expect(faults(await createWebhook(fixture, editor, { ...input, name: '' }))).toEqual(['name REQUIRED']);
    expect(valueOf(await createWebhook(fixture, editor, input)).secret).toBeDefined();
  });

  it('names every fault by its field, and stores nothing', async () => {
    const before = await countWebhooks(fixture, editor, {});
    const outcome = await createWebhook(fixture, editor, {
      ...INPUT,
      name: '',
      description: 'x'.repeat(2_001),
      workerIds: ['worker-one', 'worker-none', 'worker-gone', 'worker-one', 'nothing, at all'],
      syncTimeoutMs: 300_001,
      authentication: { method: 'CUSTOM_HEADER', headerPrefix: ' x', secret: 'short' },
    });
    expect(faults(outcome)).toEqual([
      'name REQUIRED',
      'description TOO_LONG',
      'syncTimeout OUT_OF_RANGE',
      'authentication.headerName REQUIRED',
      'authentication.headerPrefix INVALID_CHARACTERS',
      'authentication.secret TOO_SHORT',
      'workerIds.1 UNKNOWN_WORKER',
      'workerIds.2 UNKNOWN_WORKER',
      'workerIds.3 DUPLICATE',
      'workerIds.4 UNKNOWN_WORKER',
    ]);
    expect(await countWebhooks(fixture, editor, {})).toBe(before);
  });

  const withHeader = (headerName: string): Partial<CreateWebhookInput> => ({
    authentication: { method: 'SECRET_HEADER', headerName },
  });

  it.each<[string, Partial<CreateWebhookInput>, string[]]>([
    ['a name of 200 characters', { name: 'x'.repeat(200) }, []],
    ['a name of 201 characters', { name: 'x'.repeat(201) }, ['name TOO_LONG']],
    ['a name of two lines', { name: 'a\nb' }, ['name INVALID_CHARACTERS']],
    ['a name with U+0000', { name: 'a\0b' }, ['name INVALID_CHARACTERS']],
    ['half a surrogate pair', { description: 'a\ud800' }, ['description INVALID_CHARACTERS']],
    ['a description of two lines', { description: 'a\n\tb' }, []],
    ['no worker', { workerIds: [] }, ['workerIds REQUIRED']],
    ['21 workers', { workerIds: Array.from({ length: 21 }, (_, i) => `worker-${i}`) }, ['workerIds TOO_MANY']],
    ['a sync time-out of 1 ms', { syncTimeoutMs: 1 }, []],
    ['a sync time-out of 5 min', { syncTimeoutMs: 300_000 }, []],
    ['a sync time-out of nothing', { syncTimeoutMs: 0 }, ['syncTimeout OUT_OF_RANGE']],
    ['half a millisecond', { syncTimeoutMs: 1.5 }, ['syncTimeout OUT_OF_RANGE']],
    ['every character of a token', withHeader("X-a1!#$%&'*+.^_`|~"), []],
    ['an empty header name', withHeader(''), ['authentication.headerName INVALID_HEADER_NAME']],
    ['a header name with a space', withHeader('X Secret'), ['authentication.headerName INVALID_HEADER_NAME']],
    ['a header name with a colon', withHeader('X-Secret:'), ['authentication.headerName INVALID_HEADER_NAME']],
    ['a line break in a header name', withHeader('X-Secret\n'), ['authentication.headerName INVALID_HEADER_NAME']],
    ['a hop-by-hop header', withHeader('Transfer-Encoding'), ['authentication.headerName RESERVED_HEADER']],
    ['the content type', withHeader('content-TYPE'), ['authentication.headerName RESERVED_HEADER']],
    ['a long header name', withHeader('x'.repeat(101)), ['authentication.headerName TOO_LONG']],
  ])('looks at %s', async (_, input, expected) => {
    expect(faults(await createWebhook(fixture, editor, { ...INPUT, ...input }))).toEqual(expected);
  });

  it('takes headers, prefixes and secrets of the user', async () => {
    const secret = 'our-sender-made-this';
    const authentication = { method: 'CUSTOM_HEADER', headerName: 'X-Token', headerPrefix: 'Token ', secret } as const;
    const created = valueOf(await createWebhook(fixture, editor, { ...INPUT, authentication }));
    expect(created.secret).toBe(secret);
    expect(created.webhook.authentication).toEqual({
      method: 'CUSTOM_HEADER',
      headerName: 'X-Token',
      headerPrefix: 'Token ',
      provider: null,
    });
    const bare = await create({ authentication: { method: 'BEARER_TOKEN', headerPrefix: '' } });
    expect(bare.authentication).toEqual({
      method: 'BEARER_TOKEN',
      headerName: 'Authorization',
      headerPrefix: '',
      provider: null,
    });
  });
});

describe('changing a webhook', () => {
  it('changes what is given and leaves the rest', async () => {
    const { id, version, secrets } = await create({ description: 'old', syncTimeoutMs: 5 });
    const changed = valueOf(await update({ id, expectedVersion: version, name: 'Returns', description: null }));
    expect(changed).toMatchObject({
      name: 'Returns',
      description: null,
      syncTimeoutMs: 5,
      version: version + 1,
      secrets,
    });
    expect(changed.workerIds).toEqual(INPUT.workerIds);
    expect(await lastAudit()).toMatchObject({
      action: 'webhook.updated',
      details: { changed: ['name', 'description'] },
    });
  });

  it('puts other workers, or the same in another order, in their place', async () => {
    const { id } = await create();
    expect(valueOf(await update({ id, workerIds: ['worker-two', 'worker-one'] })).workerIds).toEqual([
      'worker-two',
      'worker-one',
    ]);
    expect(valueOf(await update({ id, workerIds: ['worker-three'] })).workerIds).toEqual(['worker-three']);
    expect(await lastAudit()).toMatchObject({ details: { changed: ['workerIds'] } });
    expect(faults(await update({ id, workerIds: ['worker-gone'] }))).toEqual(['workerIds.0 UNKNOWN_WORKER']);
    expect(await read(id)).toMatchObject({ workerIds: ['worker-three'], version: 3 });
  });

  it('replaces the authentication as a whole; the secret stays when none is given', async () => {
    const { id, secrets } = await create({
      authentication: { method: 'SECRET_HEADER', headerName: 'X-Own', headerPrefix: 'p-' },
    });
    const changed = valueOf(await update({ id, authentication: { method: 'API_KEY' } }));
    expect(changed.authentication).toEqual({
      method: 'API_KEY',
      headerName: 'X-API-Key',
      headerPrefix: '',
      provider: null,
    });
    expect(changed.secrets).toEqual(secrets);
  });

  it('puts a given secret in the place of all others at once', async () => {
    const { id } = await create();
    const authentication = { method: 'HMAC_SIGNATURE', secret: 'the-new-one-of-ours' } as const;
    const changed = valueOf(await update({ id, authentication }));
    expect(changed.secrets.map(({ version, state }) => [version, state])).toEqual([
      [2, 'active'],
      [1, 'revoked'],
    ]);
    expect(faults(await update({ id, authentication }))).toEqual(['authentication.secret ALREADY_IN_USE']);
    expect(await read(id)).toEqual(changed);
  });

  it('leaves the version as it is when nothing changes', async () => {
    const webhook = await create();
    const { id, name, workerIds, executionMode, dispatch, active } = webhook;
    const before = await lastAudit();
    const same = { id, name, workerIds, executionMode, dispatch, active, authentication: INPUT.authentication };
    expect(valueOf(await update(same))).toEqual(webhook);
    expect(await setActive(fixture, editor, { id, active: true })).toEqual(webhook);
    expect(await lastAudit()).toEqual(before);
  });

  it('refuses a change that was made for another version, whatever it is', async () => {
    const { id, version } = await create();
    await setActive(fixture, editor, { id, active: false });
    const expectedVersion = version;
    for (const change of [
      update({ id, expectedVersion, name: 'Late' }),
      setActive(fixture, editor, { id, expectedVersion, active: true }),
      deleteWebhook(fixture, editor, { id, expectedVersion }),
    ]) {
      await expect(change).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('version 2') });
    }
    expect(await read(id)).toMatchObject({ active: false, name: 'Orders', version: 2 });
  });

  it('lets one of two changes for the same version win', async () => {
    const { id, version } = await create();
    const changes = await Promise.allSettled(
      ['one', 'two', 'three'].map((name) => update({ id, expectedVersion: version, name })),
    );
    expect(changes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await read(id))!.version).toBe(version + 1);
  });

  it('switches on and off', async () => {
    const { id } = await create();
    expect(await setActive(fixture, editor, { id, active: false })).toMatchObject({ active: false, version: 2 });
    expect(await lastAudit()).toMatchObject({ action: 'webhook.deactivated' });
    expect(await setActive(fixture, editor, { id, active: true })).toMatchObject({ active: true, version: 3 });
    expect(await lastAudit()).toMatchObject({ action: 'webhook.activated' });
  });
});

describe('deleting a webhook', () => {
  it('takes it away at once, with its secrets and its hold on workers', async () => {
    const { id } = await create();
    await deleteWebhook(fixture, editor, { id });
    expect(await read(id)).toBeUndefined();
    const { rows } = await fixture.database.pool.query(
      `select (select count(*)::int from webhook_secrets where webhook_id = $1) as secrets,
         (select count(*)::int from webhook_workers where webhook_id = $1) as workers, version
       from webhooks where id = $1`,
      [id],
    );
    expect(rows[0]).toEqual({ secrets: 0, workers: 0, version: 2 });
    expect(await lastAudit()).toMatchObject({ action: 'webhook.deleted' });
    await expect(deleteWebhook(fixture, editor, { id })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(update({ id, name: 'Back' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(setActive(fixture, editor, { id, active: true })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('who may', () => {
  it('viewers only read, and nobody nothing', async () => {
    const viewer = await fixture.addUser('viewer');
    const { id } = await create();
    const changes = [
      (who?: Principal) => createWebhook(fixture, who, INPUT),
      (who?: Principal) => updateWebhook(fixture, who, { id, name: 'x' }),
      (who?: Principal) => setActive(fixture, who, { id, active: false }),
      (who?: Principal) => deleteWebhook(fixture, who, { id }),
    ];
    const reads = [
      (who?: Principal) => readWebhooks(fixture, who, [id]),
      (who?: Principal) => listWebhooks(fixture, who, {}, NEWEST_WEBHOOKS_FIRST, { limit: 25, fromEnd: false }),
      (who?: Principal) => countWebhooks(fixture, who, {}),
    ];
    for (const change of changes) await expect(change(viewer)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    for (const use of [...changes, ...reads]) await expect(use()).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    for (const use of reads) await expect(use(viewer)).resolves.toBeDefined();
    const narrowed = { ...editor, scopes: ['webhooks:write'] };
    const authentication = { method: 'API_KEY', secret: 'another-one-of-ours' } as const;
    await expect(updateWebhook(fixture, narrowed, { id, authentication })).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });
});

describe('the ingress', () => {
  it('hears of every change and reads it as it is', async () => {
    const hub = new EventHub();
    const listener = new EventListener({ url: fixture.url, hub, log: fixture.log });
    await listener.start();
    const { database, keyring, clock } = fixture;
    const cache = new WebhookCache({ sql: database.pool, hub, keyring, clock, listening: () => listener.listening });
    const heard = hub.subscribe([topics.webhooks]);
    const next = heard[Symbol.asyncIterator]();
    try {
      const { webhook, secret } = valueOf(await createWebhook(fixture, editor, INPUT));
      const { id } = webhook;
      const changed = { done: false, value: { kind: 'webhook-changed', webhookId: id } };
      expect(await next.next()).toEqual(changed);
      expect(await cache.get(id)).toMatchObject({
        version: 1,
        active: true,
        secrets: [{ secret }],
        workerIds: INPUT.workerIds,
      });
      await setActive(fixture, editor, { id, active: false });
      expect(await next.next()).toEqual(changed);
      expect(await cache.get(id)).toMatchObject({ version: 2, active: false });
      await deleteWebhook(fixture, editor, { id });
      expect(await next.next()).toEqual(changed);
      expect(await cache.get(id)).toBeUndefined();
    } finally {
      heard.close();
      cache.close();
      await listener.close();
      hub.close();
    }
  });
});

const cursorOf = (parts: unknown): string => Buffer.from(JSON.stringify(parts)).toString('base64url');

describe('listing webhooks', () => {
  const TAG = 'listed-here';
  let ids: string[];

  beforeAll(async () => {
    // Microseconds apart, and two at the very same moment: what a cursor must tell apart.
    ids = Array.from({ length: 7 }, () => newRandomUuid());
    const owner = editor.userId;
    const micros = [0, 1, 2, 2, 3, 1_000, 2_000];
    await fixture.database.pool.query(
      `insert into webhooks (id, name, description, active, execution_mode, dispatch, auth_method, owner_id, created_at)
       select id, $3 || n, 'Über 100% _' || n, n % 2 = 0, 'ASYNC', 'PARALLEL', 'API_KEY', $4,
         timestamptz '2020-01-01' + micros * interval '1 microsecond'
       from unnest($1::uuid[], $2::int[]) with ordinality as t(id, micros, n)`,
      [ids, micros, TAG, owner],
    );
    const order = ids.map((id, i) => ({ id, micros: micros[i]! }));
    ids = order.toSorted((a, b) => b.micros - a.micros || (a.id < b.id ? 1 : -1)).map(({ id }) => id);
  });

  interface Listing extends WebhookFilter {
    readonly order?: WebhookOrder;
    readonly first?: number;
    readonly last?: number;
    readonly after?: string | undefined;
    readonly before?: string | undefined;
  }

  const list = async (listing: Listing): Promise<{ ids: string[]; more: string; cursors: string[] }> => {
    const { order = NEWEST_WEBHOOKS_FIRST, first, last, after, before, ...filter } = listing;
    const page = { limit: first ?? last ?? 25, fromEnd: last !== undefined, after, before };
    const { items, hasNextPage, hasPreviousPage } = await listWebhooks(
      fixture,
      editor,
      { text: TAG, ...filter },
      order,
      page,
    );
    return {
      ids: items.map(({ row }) => row.id),
      cursors: items.map(({ cursor }) => cursor),
      more: `${hasPreviousPage ? '<' : ''}${hasNextPage ? '>' : ''}`,
    };
  };

  it('pages forwards, the newest first, each once', async () => {
    const first = await list({ first: 3 });
    expect(first).toMatchObject({ ids: ids.slice(0, 3), more: '>' });
    const second = await list({ first: 3, after: first.cursors[2] });
    expect(second).toMatchObject({ ids: ids.slice(3, 6), more: '<>' });
    expect(await list({ first: 3, after: second.cursors[2] })).toMatchObject({ ids: ids.slice(6), more: '<' });
  });

  it('pages backwards in the same order', async () => {
    const last = await list({ last: 3 });
    expect(last).toMatchObject({ ids: ids.slice(4), more: '<' });
    const before = await list({ last: 3, before: last.cursors[0] });
    expect(before).toMatchObject({ ids: ids.slice(1, 4), more: '<>' });
    expect(await list({ last: 3, before: before.cursors[0] })).toMatchObject({ ids: ids.slice(0, 1), more: '>' });
  });

  it.each(['NAME', 'UPDATED_AT', 'CREATED_AT'] as const)(
    'orders by %s both ways, and pages in that order',
    async (field) => {
      const names = ['alpha', 'Beta', 'beta', 'Gamma', 'delta'].map((name) => `${field} sorted ${name}`);
      const made: WebhookView[] = [];
      for (const name of names) made.push(await create({ name }));
      // Changed in another order than they were made in.
      for (const i of [2, 0, 4, 1, 3]) await update({ id: made[i]!.id, description: 'changed' });
      const [, b1, b2] = made.map(({ id }) => id);
      const betas = [b1!, b2!].toSorted(); // two of a name: behind it the id decides
      const expected = {
        NAME: [made[0]!.id, ...betas, made[4]!.id, made[3]!.id],
        UPDATED_AT: [2, 0, 4, 1, 3].map((i) => made[i]!.id),
        CREATED_AT: made.map(({ id }) => id),
      }[field];
      for (const descending of [false, true]) {
        const all = descending ? expected.toReversed() : expected;
        const page = (more: Listing): ReturnType<typeof list> =>
          list({ text: `${field} sorted`, order: { field, descending }, ...more });
        expect((await page({})).ids).toEqual(all);
        const first = await page({ first: 2 });
        expect(first).toMatchObject({ ids: all.slice(0, 2), more: '>' });
        expect(await page({ first: 3, after: first.cursors[1] })).toMatchObject({ ids: all.slice(2), more: '<' });
        const last = await page({ last: 2 });
        expect(last).toMatchObject({ ids: all.slice(3), more: '<' });
        expect(await page({ last: 2, before: last.cursors[0] })).toMatchObject({ ids: all.slice(1, 3), more: '<>' });
      }
    },
  );

  it('refuses a cursor of another order', async () => {
    for (const field of ['NAME', 'UPDATED_AT'] as const) {
      const { cursors } = await list({ first: 1, order: { field, descending: false } });
      await expect(list({ after: cursors[0] })).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
    }
    await expect(list({ after: cursorOf(['CREATED_AT', 'x', ids[0]]) })).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
    });
  });

  it('filters by state, text and worker, and counts', async () => {
    expect((await list({ active: true })).ids).toHaveLength(3);
    expect((await list({ active: false })).ids).toHaveLength(4);
    expect((await list({ text: 'LISTED-HERE3' })).ids).toHaveLength(1);
    expect((await list({ text: 'über 100% _' })).ids).toHaveLength(7);
    expect((await list({ text: 'über 100%__' })).ids).toHaveLength(0);
    expect((await list({ workerId: 'worker-one' })).ids).toHaveLength(0);
    const { id } = await create({ name: `${TAG} by a worker`, workerIds: ['worker-three'] });
    expect((await list({ workerId: 'worker-three' })).ids).toEqual([id]);
    expect(await countWebhooks(fixture, editor, { text: TAG })).toBe(8);
    await deleteWebhook(fixture, editor, { id });
    expect(await countWebhooks(fixture, editor, { text: TAG })).toBe(7);
  });

  it('reads by ids in their order, with gaps', async () => {
    const views = await readWebhooks(fixture, editor, [ids[3]!, newUuidV7(), ids[0]!, ids[3]!]);
    expect(views.map((webhook) => webhook?.id)).toEqual([ids[3], undefined, ids[0], ids[3]]);
  });

  it.each([
    ['a cursor of something else', { after: 'bm90aGluZw' }],
    ['an empty cursor', { before: '' }],
    ['half a character in a cursor', { after: cursorOf(['CREATED_AT', '1', '\ud800']) }],
    ['a number for a cursor', { after: 'MQ' }],
  ])('refuses %s', async (_, input) => {
    await expect(list(input)).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
  });
});
