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
  await fixture.addWorkers('worker-one', 'worker-two');
  await addWorkerVersions(fixture);
});

afterAll(() => fixture.close());

const UNKNOWN = formatId('webhook', newRandomUuid());

const CREATE = `mutation ($input: CreateWebhookInput!) {
  createWebhook(input: $input) { webhook { ...All } secret curl userErrors { field message code } }
}
fragment All on Webhook {
  id name description url active executionMode dispatch syncTimeout version createdAt updatedAt
  authentication { method headerName headerPrefix }
  secrets { id hint createdAt expiresAt lastUsedAt }
  workers { __typename id name kind }
  callCount lastCalledAt createdBy { id name role }
  calls { nodes { id } totalCount }
  statistics { total buckets { start } }
}`;

const input = (more: Record<string, unknown> = {}) => ({
  input: { name: 'Orders', workerIds: ['worker-one'], authentication: { method: 'BEARER_TOKEN' }, ...more },
});

describe('createWebhook', () => {
  it('gives the webhook with its defaults, the secret and a command that calls it', async () => {
    const { data, errors } = await run(
      CREATE,
      input({ workerIds: ['worker-two', 'worker-one'], syncTimeout: 'PT1M30S' }),
    );
    expect(errors).toEqual([]);
    const { webhook, secret, curl, userErrors } = data.createWebhook;
    expect(userErrors).toEqual([]);
    expect(webhook).toMatchObject({
      id: expect.stringMatching(/^wh_[0-9a-z]{26}$/),
      name: 'Orders',
      description: null,
      url: `https://hooks.example/api/v1/webhooks/${webhook.id}`,
      active: true,
      executionMode: 'ASYNC',
      dispatch: 'PARALLEL',
      syncTimeout: 'PT1M30S',
      version: 1,
      authentication: { method: 'BEARER_TOKEN', headerName: 'Authorization', headerPrefix: 'Bearer ' },
      secrets: [{ hint: `…${secret.slice(-4)}`, expiresAt: null, lastUsedAt: null }],
      workers: [
        { __typename: 'CodeWorker', id: 'worker-two', kind: 'CODE' },
        { __typename: 'CodeWorker', id: 'worker-one', kind: 'CODE' },
      ],
      callCount: 0,
      lastCalledAt: null,
      createdBy: { name: 'Owner', role: 'OWNER' },
      calls: { nodes: [], totalCount: 0 },
      statistics: { total: 0 },
    });
    expect(webhook.statistics.buckets.length).toBeGreaterThanOrEqual(24);
    expect(curl).toContain(webhook.url);
    expect(curl).toContain(secret);
  });

  it('says all that is to be mended and makes nothing', async () => {
    const before = (await run('{ webhooks { totalCount } }')).data.webhooks.totalCount;
    const { data } = await run(
      CREATE,
      input({
        name: ' ',
        workerIds: ['worker-none'],
        syncTimeout: 'PT1H',
        authentication: { method: 'CUSTOM_HEADER' },
      }),
    );
    expect(data.createWebhook).toMatchObject({ webhook: null, secret: null, curl: null });
    expect(data.createWebhook.userErrors).toEqual([
      { field: ['name'], message: expect.any(String), code: 'REQUIRED' },
      { field: ['syncTimeout'], message: expect.any(String), code: 'OUT_OF_RANGE' },
      { field: ['authentication', 'headerName'], message: expect.any(String), code: 'REQUIRED' },
      { field: ['workerIds', '0'], message: expect.any(String), code: 'UNKNOWN_WORKER' },
    ]);
    expect((await run('{ webhooks { totalCount } }')).data.webhooks.totalCount).toBe(before);
  });

  it.each([
    ['a duration that is none', { syncTimeout: 'soon' }],
    ['a method that is none', { authentication: { method: 'PASSWORD' } }],
    ['no workers', { workerIds: null }],
  ])('refuses %s', async (_, more) => {
    expect((await run(CREATE, input(more))).codes).toEqual(['BAD_USER_INPUT']);
  });

  it('needs webhooks:write', async () => {
    expect((await run(CREATE, input(), viewer)).codes).toEqual(['FORBIDDEN']);
    expect((await run(CREATE, input(), null)).codes).toEqual(['UNAUTHENTICATED']);
  });
});

describe('updateWebhook', () => {
  const UPDATE = `mutation ($input: UpdateWebhookInput!) { updateWebhook(input: $input) {
    webhook { name description active executionMode dispatch syncTimeout version workers { id }
      authentication { method headerName headerPrefix } secrets { hint } }
    userErrors { field code } } }`;

  it('changes what is given and leaves the rest', async () => {
    const id = await fixture.addWebhook('Before', ['worker-one'], { description: 'old', syncTimeout: 'PT5S' });
    const changed = await run(UPDATE, { input: { id, expectedVersion: 1, name: 'After', dispatch: 'SEQUENTIAL' } });
    expect(changed.data.updateWebhook).toEqual({
      webhook: {
        name: 'After',
        description: 'old',
        active: true,
        executionMode: 'ASYNC',
        dispatch: 'SEQUENTIAL',
        syncTimeout: 'PT5S',
        version: 2,
        workers: [{ id: 'worker-one' }],
        authentication: { method: 'HMAC_SIGNATURE', headerName: 'X-Webhook-Signature', headerPrefix: 'sha256=' },
        secrets: [{ hint: expect.any(String) }],
      },
      userErrors: [],
    });
  });

  it('takes away with null what can be absent, and only that', async () => {
    const id = await fixture.addWebhook('Nulls', ['worker-one'], { description: 'old', syncTimeout: 'PT5S' });
    const nulls = {
      name: null,
      description: null,
      syncTimeout: null,
      workerIds: null,
      active: null,
      authentication: null,
    };
    const { data } = await run(UPDATE, { input: { id, ...nulls } });
    expect(data.updateWebhook.webhook).toMatchObject({
      name: 'Nulls',
      description: null,
      syncTimeout: null,
      active: true,
    });
    expect(data.updateWebhook.webhook.workers).toEqual([{ id: 'worker-one' }]);
  });

  it('refuses a change that was made for another version', async () => {
    const id = await fixture.addWebhook('Twice', ['worker-one']);
    const change = { input: { id, expectedVersion: 1, name: 'First' } };
    expect((await run(UPDATE, change)).codes).toEqual([]);
    expect((await run(UPDATE, change)).codes).toEqual(['CONFLICT']);
  });

  it('says what is to be mended', async () => {
    const id = await fixture.addWebhook('Mend', ['worker-one']);
    const { data } = await run(UPDATE, { input: { id, workerIds: [] } });
    expect(data.updateWebhook).toEqual({ webhook: null, userErrors: [{ field: ['workerIds'], code: 'REQUIRED' }] });
  });

  it.each([
    [UNKNOWN, 'NOT_FOUND'],
    ['wh_nonsense', 'BAD_USER_INPUT'],
    ['worker-one', 'BAD_USER_INPUT'],
  ])('answers %s with %s', async (id, code) => {
    expect((await run(UPDATE, { input: { id, name: 'x' } })).codes).toEqual([code]);
  });

  it('needs webhooks:write', async () => {
    expect((await run(UPDATE, { input: { id: UNKNOWN } }, viewer)).codes).toEqual(['FORBIDDEN']);
  });
});

describe.each([
  ['activateWebhook', 'ActivateWebhookInput', false, true],
  ['deactivateWebhook', 'DeactivateWebhookInput', true, false],
])('%s', (mutation, type, before, after) => {
  const DOCUMENT = `mutation ($input: ${type}!) { ${mutation}(input: $input) { webhook { active version } userErrors { code } } }`;

  it('does it, and a second time changes nothing', async () => {
    const id = await fixture.addWebhook(mutation, ['worker-one'], { active: before });
    const done = { [mutation]: { webhook: { active: after, version: 2 }, userErrors: [] } };
    expect((await run(DOCUMENT, { input: { id } })).data).toEqual(done);
    expect((await run(DOCUMENT, { input: { id } })).data).toEqual(done);
  });

  it('refuses what does not exist, another version, and whoever may not', async () => {
    const id = await fixture.addWebhook(mutation, ['worker-one'], { active: before });
    expect((await run(DOCUMENT, { input: { id: UNKNOWN } })).codes).toEqual(['NOT_FOUND']);
    expect((await run(DOCUMENT, { input: { id: 'x' } })).codes).toEqual(['BAD_USER_INPUT']);
    expect((await run(DOCUMENT, { input: { id, expectedVersion: 9 } })).codes).toEqual(['CONFLICT']);
    expect((await run(DOCUMENT, { input: { id } }, viewer)).codes).toEqual(['FORBIDDEN']);
  });
});

describe('deleteWebhook', () => {
  const DELETE = `mutation ($input: DeleteWebhookInput!) { deleteWebhook(input: $input) { deletedWebhookId userErrors { code } } }`;

  it('deletes it: it is in no list and is not found any more', async () => {
    const id = await fixture.addWebhook('Gone', ['worker-one']);
    const { callId } = await fixture.addCall({ webhookId: id, workerIds: ['worker-one'] });
    expect((await run(DELETE, { input: { id } })).data.deleteWebhook).toEqual({ deletedWebhookId: id, userErrors: [] });
    const after = await run(
      'query ($id: ID!, $callId: ID!) { webhook(id: $id) { id } node(id: $id) { id } call(id: $callId) { id webhook { id } } }',
      { id, callId },
    );
    expect(after.data).toEqual({ webhook: null, node: null, call: { id: callId, webhook: null } });
    expect((await run(DELETE, { input: { id } })).codes).toEqual(['NOT_FOUND']);
  });

  it('needs webhooks:write', async () => {
    expect((await run(DELETE, { input: { id: UNKNOWN } }, viewer)).codes).toEqual(['FORBIDDEN']);
    expect((await run(DELETE, { input: { id: 'x' } })).codes).toEqual(['BAD_USER_INPUT']);
  });
});

describe('webhooks', () => {
  const LIST = `query ($first: Int, $after: String, $last: Int, $before: String, $text: String, $active: Boolean, $workerId: ID) {
    webhooks(first: $first, after: $after, last: $last, before: $before, text: $text, active: $active, workerId: $workerId) {
      nodes { id name } edges { cursor node { id } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount } }`;
  let ids: string[];

  beforeAll(async () => {
    ids = [];
    for (let i = 0; i < 5; i += 1) {
      ids.unshift(
        await fixture.addWebhook(`listed ${i}`, [i === 0 ? 'worker-two' : 'worker-one'], { active: i !== 1 }),
      );
    }
  });

  const page = async (variables: Record<string, unknown>) =>
    (await run(LIST, { text: 'LISTED', ...variables })).data.webhooks;

  it('pages forwards and backwards through the newest first', async () => {
    const first = await page({ first: 2 });
    expect(first.nodes.map(({ id }: { id: string }) => id)).toEqual(ids.slice(0, 2));
    expect(first.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false });
    expect(first.pageInfo).toMatchObject({ startCursor: first.edges[0].cursor, endCursor: first.edges[1].cursor });
    const rest = await page({ first: 9, after: first.pageInfo.endCursor });
    expect(rest.nodes.map(({ id }: { id: string }) => id)).toEqual(ids.slice(2));
    expect(rest.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: true });
    const back = await page({ last: 2, before: rest.pageInfo.endCursor });
    expect(back.nodes.map(({ id }: { id: string }) => id)).toEqual(ids.slice(2, 4));
    expect(back.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: true });
    expect(back.totalCount).toBe(5);
  });

  it('filters', async () => {
    expect((await page({ active: false })).nodes).toEqual([{ id: ids[3], name: 'listed 1' }]);
    expect((await page({ workerId: 'worker-two' })).nodes).toEqual([{ id: ids[4], name: 'listed 0' }]);
    expect((await page({ text: 'not there' })).nodes).toEqual([]);
  });

  it.each([{ first: 1, last: 1 }, { first: 101 }, { last: -1 }, { after: 'nonsense' }, { workerId: 'nonsense' }])(
    'refuses %j',
    async (variables) => {
      expect((await run(LIST, variables)).codes).toEqual(['BAD_USER_INPUT']);
    },
  );

  it('needs webhooks:read', async () => {
    const stranger = await fixture.addUser('owner', ['calls:read']);
    expect((await run(LIST, {}, stranger)).codes).toEqual(['FORBIDDEN']);
    expect((await run('query ($id: ID!) { webhook(id: $id) { id } }', { id: ids[0] }, stranger)).codes).toEqual([
      'FORBIDDEN',
    ]);
  });
});

describe('node and nodes', () => {
  it('find everything by its id, and null where there is nothing', async () => {
    const id = await fixture.addWebhook('Node', ['worker-one']);
    const { callId, executionIds } = await fixture.addCall({ webhookId: id, workerIds: ['worker-one'] });
    const ids = ['worker-one', callId, executionIds[0], id, UNKNOWN, 'nonsense', ''];
    const { data } = await run('query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }', { ids });
    expect(data.nodes).toEqual([
      { __typename: 'CodeWorker', id: 'worker-one' },
      { __typename: 'Call', id: callId },
      { __typename: 'Execution', id: executionIds[0] },
      { __typename: 'Webhook', id },
      null,
      null,
      null,
    ]);
  });

  it('refuses what is no id, and too many', async () => {
    expect((await run('{ node(id: "nonsense") { id } }')).codes).toEqual(['BAD_USER_INPUT']);
    const ids = Array.from({ length: 101 }, () => UNKNOWN);
    expect((await run('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids })).codes).toEqual(['BAD_USER_INPUT']);
  });

  it('need the permission for what the id is of', async () => {
    const reader = await fixture.addUser('viewer', ['calls:read']);
    expect((await run('query ($id: ID!) { node(id: $id) { id } }', { id: UNKNOWN }, reader)).codes).toEqual([
      'FORBIDDEN',
    ]);
    expect((await run('{ node(id: "worker-one") { id } }', {}, reader)).codes).toEqual(['FORBIDDEN']);
    expect((await run('{ node(id: "worker-one") { id } }', {}, null)).codes).toEqual(['UNAUTHENTICATED']);
  });
});

describe('what a webhook leads to', () => {
  it('needs its own permission', async () => {
    const id = await fixture.addWebhook('Narrow', ['worker-one']);
    const reader = await fixture.addUser('viewer', ['webhooks:read']);
    const DOCUMENT = (field: string) => `query ($id: ID!) { webhook(id: $id) { id ${field} } }`;
    expect((await run(DOCUMENT('name'), { id }, reader)).codes).toEqual([]);
    for (const field of [
      'workers { id }',
      'calls { nodes { id } }',
      'statistics { total }',
      'callCount',
      'createdBy { id }',
    ]) {
      expect((await run(DOCUMENT(field), { id }, reader)).codes).toEqual(['FORBIDDEN']);
    }
  });
});
