import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Permission, PERMISSIONS } from '../../../src/access/permissions.js';
import type { Principal } from '../../../src/access/principal.js';
import { exchangeLoginToken } from '../../../src/access/sessions.js';
import { topics } from '../../../src/events/event.js';
import { formatId, newUuidV7, parseId } from '../../../src/lib/ids.js';
import { type Answer, type GraphqlFixture, openGraphqlFixture } from '../../support/graphql-fixture.js';
import { signIn } from '../../support/sign-in.js';
import { addToken, type GraphqlProcess, openGraphqlProcess, openKnownSocket } from '../../support/graphql-process.js';

let fixture: GraphqlFixture;
let gateway: GraphqlProcess;

beforeAll(async () => {
  fixture = await openGraphqlFixture();
  gateway = await openGraphqlProcess({ databaseUrl: fixture.url });
});

afterAll(async () => {
  await gateway.close();
  await fixture.close();
});

const INVITE = `mutation ($input: InviteUserInput!) {
  inviteUser(input: $input) { user { id name email role version disabledAt } loginUrl userErrors { field code } } }`;
const UPDATE = `mutation ($input: UpdateUserInput!) {
  updateUser(input: $input) { user { name email role version } userErrors { field code } } }`;
const DISABLE = `mutation ($input: DisableUserInput!) {
  disableUser(input: $input) { user { disabledAt } userErrors { field code } } }`;
const ENABLE = `mutation ($input: EnableUserInput!) {
  enableUser(input: $input) { user { disabledAt } userErrors { field code } } }`;
const LINK = `mutation ($input: CreateLoginLinkInput!) { createLoginLink(input: $input) { loginUrl expiresAt } }`;

const invite = (input: object, as?: Principal | null): Promise<Answer> => fixture.run(INVITE, { input }, as);
const update = (input: object, as?: Principal): Promise<Answer> => fixture.run(UPDATE, { input }, as);
const disable = (id: string, as?: Principal): Promise<Answer> => fixture.run(DISABLE, { input: { id } }, as);

const idOf = ({ userId }: { readonly userId: string }): string => formatId('user', userId);
const tokenIn = (loginUrl: string): string => new URL(loginUrl).searchParams.get('token')!;

describe('an invited user', () => {
  it('signs in once with the link', async () => {
    const { data } = await invite({ name: ' Ada ', email: 'ada@example.com', role: 'EDITOR' });
    expect(data.inviteUser.user).toMatchObject({ name: 'Ada', email: 'ada@example.com', role: 'EDITOR', version: 1 });
    const { pool } = fixture.database;
    const token = tokenIn(data.inviteUser.loginUrl);
    expect(await exchangeLoginToken(pool, token)).toBeDefined();
    expect(await exchangeLoginToken(pool, token)).toBeUndefined();
    const { rows } = await pool.query("select details from audit_events where action = 'user.invited'");
    expect(rows).toEqual([{ details: { name: 'Ada', role: 'editor' } }]);
  });

  it('has an address of their own, whatever its case', async () => {
    await invite({ name: 'Bo', email: 'bo@example.com', role: 'VIEWER' });
    const { data } = await invite({ name: 'Bob', email: 'BO@example.com', role: 'VIEWER' });
    expect(data.inviteUser).toMatchObject({
      user: null,
      loginUrl: null,
      userErrors: [{ field: ['email'], code: 'TAKEN' }],
    });
  });

  it.each([
    [{ name: '', role: 'VIEWER' }, ['name'], 'REQUIRED'],
    [{ name: 'x', email: 'not an address', role: 'VIEWER' }, ['email'], 'INVALID'],
  ])('is refused: %j', async (input, field, code) => {
    expect((await invite(input)).data.inviteUser).toMatchObject({ user: null, userErrors: [{ field, code }] });
  });

  it('gets no more than the one who invites has', async () => {
    const admin = await fixture.addUser('admin');
    expect((await invite({ name: 'x', role: 'OWNER' }, admin)).codes).toEqual(['FORBIDDEN']);
    expect((await invite({ name: 'x', role: 'ADMIN' }, admin)).codes).toEqual([]);
    expect((await invite({ name: 'x', role: 'VIEWER' }, await fixture.addUser('editor'))).codes).toEqual(['FORBIDDEN']);
    expect((await invite({ name: 'x', role: 'VIEWER' }, null)).codes).toEqual(['UNAUTHENTICATED']);
  });
});

describe('a login link', () => {
  it('is made for users of the same might or less, and for none that is shut out', async () => {
    const [admin, other] = [await fixture.addUser('admin'), await fixture.addUser('editor')];
    const link = (userId: string, as: Principal): Promise<Answer> => fixture.run(LINK, { input: { userId } }, as);
    const { data } = await link(idOf(other), admin);
    expect(new Date(data.createLoginLink.expiresAt).getTime()).toBeGreaterThan(Date.now() + 2 * 86_400_000);
    expect(await exchangeLoginToken(fixture.database.pool, tokenIn(data.createLoginLink.loginUrl))).toBeDefined();
    expect((await link(idOf(fixture.owner), admin)).codes).toEqual(['FORBIDDEN']);
    await disable(idOf(other));
    expect((await link(idOf(other), admin)).codes).toEqual(['NOT_FOUND']);
  });
});

describe('a narrowed token', () => {
  it('gives no role, and no way in, that may do more than itself', async () => {
    const manager = await fixture.addUser('admin', ['users:manage']);
    const viewer = idOf(await fixture.addUser('viewer'));
    const link = { userId: idOf(manager) };
    expect((await fixture.run(LINK, { input: link }, manager)).codes).toEqual(['FORBIDDEN']);
    expect((await invite({ name: 'x', role: 'ADMIN' }, manager)).codes).toEqual(['FORBIDDEN']);
    expect((await update({ id: viewer, role: 'ADMIN' }, manager)).codes).toEqual(['FORBIDDEN']);
    const admin = idOf(await fixture.addUser('admin'));
    expect((await update({ id: admin, email: 'mine@example.com' }, manager)).codes).toEqual(['FORBIDDEN']);
    expect((await disable(viewer, manager)).codes).toEqual([]);
  });

  it('gives what it has', async () => {
    const all = Object.keys(PERMISSIONS) as Permission[];
    const scopes = all.filter((permission) => PERMISSIONS[permission] === 'viewer' || permission === 'users:manage');
    const manager = await fixture.addUser('admin', scopes);
    expect((await invite({ name: 'x', role: 'VIEWER' }, manager)).codes).toEqual([]);
    const { errors, codes } = await invite({ name: 'x', role: 'OPERATOR' }, manager);
    expect(codes).toEqual(['FORBIDDEN']);
    expect(errors[0]!.message).toContain('webhooks:test');
  });

  it('that expires makes no login link for its own user', async () => {
    const { token, tokenId, userId } = await addToken(fixture.database.pool, 'admin');
    const link = (id: string): ReturnType<GraphqlProcess['post']> =>
      gateway.post(LINK, { token, variables: { input: { userId: id } } });
    expect((await link(formatId('user', userId))).errors).toBeUndefined();
    const soon = "update api_tokens set expires_at = now() + interval '1 hour' where id = $1";
    await fixture.database.pool.query(soon, [tokenId]);
    expect((await link(formatId('user', userId))).errors?.[0]?.extensions.code).toBe('FORBIDDEN');
    expect((await link(idOf(await fixture.addUser('viewer')))).errors).toBeUndefined();
  });
});

describe('a changed user', () => {
  it('with a higher role signs in anew: what somebody got before rises with nobody', async () => {
    const { data } = await invite({ name: 'Up', role: 'VIEWER' });
    const { id } = data.inviteUser.user;
    const { pool } = fixture.database;
    const userId = parseId('user', id)!;
    const session = await signIn(pool, userId);
    const sessions = async (): Promise<unknown[]> =>
      (await pool.query('select 1 from sessions where user_id = $1 and revoked_at is null', [userId])).rows;
    await update({ id, role: 'VIEWER' });
    expect([await sessions(), session.token]).toEqual([[expect.anything()], expect.any(String)]);
    await update({ id, role: 'EDITOR' });
    expect(await sessions()).toEqual([]);
    expect(await exchangeLoginToken(pool, tokenIn(data.inviteUser.loginUrl))).toBeUndefined();
    await signIn(pool, userId);
    await update({ id, role: 'VIEWER' });
    expect(await sessions()).toHaveLength(1);
  });

  it('is checked against the version that was seen', async () => {
    const user = idOf(await fixture.addUser('viewer'));
    expect((await update({ id: user, name: 'New', expectedVersion: 1 })).data.updateUser.user).toMatchObject({
      name: 'New',
      version: 2,
    });
    expect((await update({ id: user, name: 'Newer', expectedVersion: 1 })).codes).toEqual(['CONFLICT']);
    expect((await update({ id: user, name: 'New' })).data.updateUser.user.version).toBe(2); // nothing to change
  });

  it('with another role is known by it at once, over HTTP and on a socket', async () => {
    const { token, userId } = await addToken(fixture.database.pool, 'viewer');
    const audit = (): ReturnType<GraphqlProcess['post']> =>
      gateway.post('{ auditEvents { nodes { seq } } }', { token });
    expect((await audit()).errors?.[0]?.extensions.code).toBe('FORBIDDEN');
    const socket = await openKnownSocket(gateway.socketUrl, token);
    await update({ id: formatId('user', userId), role: 'ADMIN' });
    expect(await socket.closed).toMatchObject({ code: 4403 });
    expect((await audit()).errors).toBeUndefined();
  });

  it('is never raised above, nor touched from below', async () => {
    const [admin, viewer] = [await fixture.addUser('admin'), await fixture.addUser('viewer')];
    expect((await update({ id: idOf(viewer), role: 'OWNER' }, admin)).codes).toEqual(['FORBIDDEN']);
    expect((await update({ id: idOf(fixture.owner), name: 'x' }, admin)).codes).toEqual(['FORBIDDEN']);
    expect((await update({ id: idOf({ userId: newUuidV7() }), name: 'x' }, admin)).codes).toEqual(['NOT_FOUND']);
  });
});

describe('a user who is shut out', () => {
  it('opens nothing any more, and their sockets close', async () => {
    const { token, userId } = await addToken(fixture.database.pool, 'viewer');
    const viewer = (): ReturnType<GraphqlProcess['post']> => gateway.post('{ viewer { id } }', { token });
    expect((await viewer()).errors).toBeUndefined();
    const socket = await openKnownSocket(gateway.socketUrl, token);
    await disable(formatId('user', userId));
    expect(await socket.closed).toMatchObject({ code: 4403 });
    expect((await viewer()).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
    const heard = gateway.hub.subscribe([topics.credentials]); // until then the process remembers the refusal
    await fixture.run(ENABLE, { input: { id: formatId('user', userId) } });
    expect((await heard[Symbol.asyncIterator]().next()).value).toEqual({ kind: 'user-changed', userId });
    heard.close();
    expect((await viewer()).errors).toBeUndefined();
  });

  it('is neither oneself nor the only owner', async () => {
    const second = await fixture.addUser('owner');
    expect((await disable(idOf(second), second)).data.disableUser.userErrors[0].code).toBe('IS_YOURSELF');
    expect((await disable(idOf(second))).data.disableUser.userErrors).toEqual([]);
    const admin = { ...fixture.owner, userId: second.userId }; // an owner's might, somebody else's id
    expect((await disable(idOf(fixture.owner), admin)).data.disableUser.userErrors[0].code).toBe('LAST_OWNER');
    expect((await update({ id: idOf(fixture.owner), role: 'ADMIN' })).data.updateUser.userErrors[0]).toMatchObject({
      field: ['role'],
      code: 'LAST_OWNER',
    });
  });

  it('is one of two owners at most when both are shut out at once', async () => {
    const owners = await Promise.all(Array.from({ length: 4 }, () => fixture.addUser('owner')));
    await fixture.database.pool.query("update users set disabled_at = now() where role = 'owner' and id <> all($1)", [
      owners.map(({ userId }) => userId),
    ]);
    const answers = await Promise.all(owners.map((owner, i) => disable(idOf(owner), owners[(i + 1) % owners.length])));
    const done = answers.filter(({ data }) => data?.disableUser.userErrors.length === 0);
    expect(done).toHaveLength(3);
    await fixture.database.pool.query('update users set disabled_at = null where id = $1', [fixture.owner.userId]);
  });
});

describe('lists', () => {
  it('page through users and find them', async () => {
    for (const name of ['Find Me One', 'Find Me Two', 'Find Me Three']) await invite({ name, role: 'VIEWER' });
    const PAGE = `query ($after: String, $text: String) { users(first: 2, after: $after, text: $text) {
      totalCount nodes { name } pageInfo { hasNextPage endCursor } } }`;
    const first = (await fixture.run(PAGE, { text: 'find me' })).data.users;
    expect(first).toMatchObject({ totalCount: 3, nodes: [{ name: 'Find Me Three' }, { name: 'Find Me Two' }] });
    const second = (await fixture.run(PAGE, { text: 'find me', after: first.pageInfo.endCursor })).data.users;
    expect(second).toMatchObject({ nodes: [{ name: 'Find Me One' }], pageInfo: { hasNextPage: false } });
  });

  it('page through the audit log both ways, and say who did what to whom', async () => {
    const { data } = await invite({ name: 'Audited', role: 'VIEWER' });
    const subjectId = data.inviteUser.user.id as string;
    await fixture.run(LINK, { input: { userId: subjectId } });
    await update({ id: subjectId, name: 'Audited Twice' });
    const LIST = `query ($first: Int, $last: Int, $after: String, $before: String, $subjectId: ID, $action: String) {
      auditEvents(first: $first, last: $last, after: $after, before: $before, subjectId: $subjectId, action: $action) {
        totalCount nodes { action user { id } credential details hash } pageInfo { endCursor hasNextPage hasPreviousPage } } }`;
    const all = (await fixture.run(LIST, { subjectId })).data.auditEvents;
    expect(all.nodes.map((node: { action: string }) => node.action)).toEqual([
      'user.updated',
      'user.login-link-created',
      'user.invited',
    ]);
    expect(all).toMatchObject({ totalCount: 3, pageInfo: { hasNextPage: false } });
    expect(all.nodes[0]).toMatchObject({
      user: { id: idOf(fixture.owner) },
      credential: 'system:startup',
      details: { changed: ['name'], role: 'viewer' },
    });
    const oldest = (await fixture.run(LIST, { subjectId, last: 1 })).data.auditEvents;
    expect(oldest).toMatchObject({ nodes: [{ action: 'user.invited' }], pageInfo: { hasPreviousPage: true } });
    const behind = (await fixture.run(LIST, { subjectId, first: 1, after: oldest.pageInfo.endCursor })).data
      .auditEvents;
    expect(behind.nodes).toEqual([]);
    expect((await fixture.run(LIST, { action: 'user', first: 100 })).data.auditEvents.nodes.length).toBeGreaterThan(3);
    expect((await fixture.run(LIST, { action: 'use' })).data.auditEvents.nodes).toEqual([]);
    expect((await fixture.run(LIST, { after: 'nonsense' })).codes).toEqual(['BAD_USER_INPUT']);
    expect((await fixture.run(LIST, {}, await fixture.addUser('editor'))).codes).toEqual(['FORBIDDEN']);
  });

  it('give a user by id, also as a node', async () => {
    const id = idOf(fixture.owner);
    const { data } = await fixture.run(
      'query ($id: ID!) { user(id: $id) { role } node(id: $id) { id ... on User { role } } }',
      { id },
    );
    expect(data).toEqual({ user: { role: 'OWNER' }, node: { id, role: 'OWNER' } });
    expect(parseId('user', id)).toBe(fixture.owner.userId);
  });
});

describe('an API token that ends', () => {
  it('makes none that outlives it', async () => {
    const { token, tokenId } = await addToken(fixture.database.pool, 'admin');
    const endsAt = new Date(Date.now() + 3_600_000);
    await fixture.database.pool.query('update api_tokens set expires_at = $2 where id = $1', [tokenId, endsAt]);
    const create = async (expiresAt?: Date): Promise<unknown> => {
      const { data } = await gateway.post(
        'mutation ($e: DateTime) { createApiToken(input: { name: "child", expiresAt: $e }) { userErrors { code } } }',
        { token, variables: { e: expiresAt ?? null } },
      );
      return (data!['createApiToken'] as { userErrors: unknown }).userErrors;
    };
    expect(await create()).toEqual([{ code: 'OUTLIVES_YOURS' }]);
    expect(await create(new Date(endsAt.getTime() + 1))).toEqual([{ code: 'OUTLIVES_YOURS' }]);
    expect(await create(endsAt)).toEqual([]);
  });
});
