import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Principal } from '../../../src/access/principal.js';
import { formatId, newUuidV7 } from '../../../src/lib/ids.js';
import { addWorkerVersions, type GraphqlFixture, openGraphqlFixture } from '../../support/graphql-fixture.js';

let fixture: GraphqlFixture;
let viewer: Principal;
let run: GraphqlFixture['run'];

beforeAll(async () => {
  fixture = await openGraphqlFixture();
  run = fixture.run;
  viewer = await fixture.addUser('viewer');
  await fixture.addWorkers('worker-one');
  await addWorkerVersions(fixture);
});

afterAll(() => fixture.close());

describe('viewer and version', () => {
  it('say who asks, and what answers', async () => {
    const { data } = await run('{ viewer { id name email role createdAt } version }', {}, viewer);
    expect(data).toMatchObject({
      viewer: { id: formatId('user', viewer.userId), name: 'viewer', email: null, role: 'VIEWER' },
      version: '1.2.3',
    });
  });

  it('need somebody who is known', async () => {
    expect((await run('{ viewer { id } }', {}, null)).codes).toEqual(['UNAUTHENTICATED']);
    expect((await run('{ version }', {}, null)).codes).toEqual(['UNAUTHENTICATED']);
  });
});

describe('API tokens', () => {
  const CREATE = `mutation ($input: CreateApiTokenInput!) { createApiToken(input: $input) {
    apiToken { id name hint scopes expiresAt revokedAt } token userErrors { field code } } }`;
  const REVOKE = `mutation ($input: RevokeApiTokenInput!) { revokeApiToken(input: $input) {
    apiToken { id revokedAt } userErrors { code } } }`;
  const LIST = `query ($first: Int, $after: String) { apiTokens(first: $first, after: $after) {
    nodes { id name revokedAt } pageInfo { hasNextPage endCursor } totalCount } }`;

  it('are made, shown once, listed, and ended', async () => {
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const { data } = await run(CREATE, { input: { name: 'CI', scopes: ['webhooks:read'], expiresAt } });
    const { apiToken, token, userErrors } = data.createApiToken;
    expect(userErrors).toEqual([]);
    expect(token).toMatch(/^wha_/);
    expect(apiToken).toMatchObject({ name: 'CI', scopes: ['webhooks:read'], expiresAt, revokedAt: null });
    expect(token.endsWith(apiToken.hint.replace('…', ''))).toBe(true);

    await run(CREATE, { input: { name: 'Second' } });
    const first = (await run(LIST, { first: 1 })).data.apiTokens;
    expect(first).toMatchObject({ nodes: [{ name: 'Second' }], pageInfo: { hasNextPage: true }, totalCount: 2 });
    const second = (await run(LIST, { first: 1, after: first.pageInfo.endCursor })).data.apiTokens;
    expect(second).toMatchObject({ nodes: [{ id: apiToken.id }], pageInfo: { hasNextPage: false } });

    const revoked = await run(REVOKE, { input: { id: apiToken.id } });
    expect(revoked.data.revokeApiToken).toMatchObject({ apiToken: { id: apiToken.id }, userErrors: [] });
    expect(revoked.data.revokeApiToken.apiToken.revokedAt).not.toBeNull();
  });

  it('say what is to be mended', async () => {
    const { data } = await run(CREATE, {
      input: { name: '', scopes: ['everything'], expiresAt: '2020-01-01T00:00:00Z' },
    });
    expect(data.createApiToken).toEqual({
      apiToken: null,
      token: null,
      userErrors: [
        { field: ['name'], code: 'REQUIRED' },
        { field: ['scopes'], code: 'UNKNOWN_SCOPE' },
        { field: ['expiresAt'], code: 'IN_THE_PAST' },
      ],
    });
  });

  it('refuse and forbid', async () => {
    expect((await run(REVOKE, { input: { id: 'nonsense' } })).codes).toEqual(['BAD_USER_INPUT']);
    expect((await run(REVOKE, { input: { id: formatId('apiToken', newUuidV7()) } })).codes).toEqual(['NOT_FOUND']);
    expect((await run(LIST, { after: 'nonsense' })).codes).toEqual(['BAD_USER_INPUT']);
    expect((await run(CREATE, { input: { name: 'x' } }, viewer)).codes).toEqual(['FORBIDDEN']);
    expect((await run(REVOKE, { input: { id: 'x' } }, viewer)).codes).toEqual(['FORBIDDEN']);
    expect((await run(LIST, {}, viewer)).codes).toEqual(['FORBIDDEN']);
  });
});

describe('rate limits', () => {
  const SET = `mutation ($input: SetRateLimitInput!) { setRateLimit(input: $input) {
    rateLimit { scope subjectId perMinute updatedAt } userErrors { field code } } }`;
  const LIST = `query ($first: Int, $after: String) { rateLimits(first: $first, after: $after) {
    nodes { scope subjectId perMinute updatedAt } pageInfo { endCursor } totalCount } }`;

  it('show the configuration until they are set, and again when they are cleared', async () => {
    const configured = [
      { scope: 'GLOBAL', subjectId: null, perMinute: 60_000, updatedAt: null },
      { scope: 'USER', subjectId: null, perMinute: 6_000, updatedAt: null },
      { scope: 'WEBHOOK', subjectId: null, perMinute: 0, updatedAt: null },
    ];
    expect((await run(LIST)).data.rateLimits).toMatchObject({ nodes: configured, totalCount: 3 });

    const webhookId = await fixture.addWebhook('Limited', ['worker-one']);
    const own = { scope: 'WEBHOOK', subjectId: webhookId, perMinute: 5 };
    expect((await run(SET, { input: own })).data.setRateLimit).toEqual({
      rateLimit: { ...own, updatedAt: expect.any(String) },
      userErrors: [],
    });
    const userId = formatId('user', viewer.userId);
    expect(
      (await run(SET, { input: { scope: 'USER', subjectId: userId, perMinute: 7 } })).data.setRateLimit,
    ).toMatchObject({
      rateLimit: { subjectId: userId, perMinute: 7 },
    });
    const { data } = await run(LIST);
    expect(data.rateLimits.totalCount).toBe(5);
    expect(data.rateLimits.nodes).toContainEqual({ ...own, updatedAt: expect.any(String) });

    const cleared = await run(SET, { input: { ...own, perMinute: null } });
    expect(cleared.data.setRateLimit.rateLimit).toEqual({ ...own, perMinute: 0, updatedAt: null });
    expect((await run(LIST)).data.rateLimits.totalCount).toBe(4);
  });

  it('stand at the webhooks that they hold for', async () => {
    const ids = [await fixture.addWebhook('One', ['worker-one']), await fixture.addWebhook('Other', ['worker-one'])];
    await run(SET, { input: { scope: 'WEBHOOK', subjectId: ids[0], perMinute: 5 } });
    const OF_WEBHOOKS = `query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Webhook {
      rateLimit { scope subjectId perMinute updatedAt } } } }`;
    expect((await run(OF_WEBHOOKS, { ids })).data.nodes).toEqual([
      { rateLimit: { scope: 'WEBHOOK', subjectId: ids[0], perMinute: 5, updatedAt: expect.any(String) } },
      { rateLimit: { scope: 'WEBHOOK', subjectId: null, perMinute: 0, updatedAt: null } },
    ]);
    const narrowed = await fixture.addUser('owner', ['webhooks:read']);
    expect((await run(OF_WEBHOOKS, { ids }, narrowed)).codes).toEqual(['FORBIDDEN', 'FORBIDDEN']);
  });

  it.each([
    [
      { scope: 'GLOBAL', perMinute: -1 },
      { field: ['perMinute'], code: 'OUT_OF_RANGE' },
    ],
    [{ scope: 'GLOBAL' }, { field: ['perMinute'], code: 'REQUIRED' }],
    [
      { scope: 'USER', subjectId: formatId('user', newUuidV7()), perMinute: 1 },
      { field: ['subjectId'], code: 'NOT_FOUND' },
    ],
  ])('say what is to be mended of %j', async (input, userError) => {
    expect((await run(SET, { input })).data.setRateLimit).toEqual({ rateLimit: null, userErrors: [userError] });
  });

  it('refuse and forbid', async () => {
    const userId = formatId('user', viewer.userId);
    expect((await run(SET, { input: { scope: 'WEBHOOK', subjectId: userId, perMinute: 1 } })).codes).toEqual([
      'BAD_USER_INPUT',
    ]);
    expect((await run(SET, { input: { scope: 'MODEL', perMinute: 1 } })).codes).toEqual(['BAD_USER_INPUT']);
    expect((await run(SET, { input: { scope: 'GLOBAL', perMinute: 1 } }, viewer)).codes).toEqual(['FORBIDDEN']);
    expect((await run(LIST, { first: 101 })).codes).toEqual(['BAD_USER_INPUT']);
    const stranger = await fixture.addUser('owner', ['calls:read']);
    expect((await run(LIST, {}, stranger)).codes).toEqual(['FORBIDDEN']);
  });
});
