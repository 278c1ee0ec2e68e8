import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Principal } from '../../../src/access/principal.js';
import { formatId, newUuidV7 } from '../../../src/lib/ids.js';
import { type GraphqlFixture, openGraphqlFixture } from '../../support/graphql-fixture.js';

let fixture: GraphqlFixture;
let run: GraphqlFixture['run'];
let viewer: Principal;
let stranger: Principal;

beforeAll(async () => {
  fixture = await openGraphqlFixture();
  run = fixture.run;
  viewer = await fixture.addUser('viewer');
  stranger = await fixture.addUser('owner', ['calls:read']);
});

afterAll(() => fixture.close());

const CONNECTION = 'id name description baseUrl authentication { kind name secretHint } headerNames version';
const CREATE = `mutation ($input: CreateConnectionInput!) { createConnection(input: $input) {
  connection { ${CONNECTION} } userErrors { field code } } }`;
const UPDATE = `mutation ($input: UpdateConnectionInput!) { updateConnection(input: $input) {
  connection { ${CONNECTION} } userErrors { field code } } }`;
const DELETE = `mutation ($input: DeleteConnectionInput!) { deleteConnection(input: $input) {
  deletedConnectionId userErrors { field message code } } }`;

const SECRET = 'a-long-credential-4711';

const create = async (more: Record<string, unknown> = {}): Promise<string> => {
  const input = { name: 'ERP', baseUrl: 'https://erp.example/api', ...more };
  const { data } = await run(CREATE, { input });
  return data.createConnection.connection.id;
};

describe('createConnection', () => {
  it('gives the connection without its credential', async () => {
    const input = {
      name: ' ERP ',
      description: 'Orders',
      baseUrl: 'HTTPS://ERP.example:443/api',
      authentication: { kind: 'HEADER', name: 'X-Key', secret: SECRET },
      headers: { 'X-Tenant': 'hidden' },
    };
    const { data, errors } = await run(CREATE, { input });
    expect(errors).toEqual([]);
    expect(data.createConnection).toEqual({
      connection: {
        id: expect.stringMatching(/^conn-[0-9a-z]{26}$/),
        name: 'ERP',
        description: 'Orders',
        baseUrl: 'https://erp.example/api',
        authentication: { kind: 'HEADER', name: 'X-Key', secretHint: '…11' },
        headerNames: ['X-Tenant'],
        version: 1,
      },
      userErrors: [],
    });
    expect(JSON.stringify(data)).not.toMatch(/hidden|credential/);
  });

  it.each<[string, Record<string, unknown>, string[]]>([
    ['a name', { name: ' ' }, ['name']],
    ['a URL', { baseUrl: 'erp.example' }, ['baseUrl']],
    ['a URL with a password', { baseUrl: 'https://a:b@erp.example' }, ['baseUrl']],
    ['a URL with a query', { baseUrl: 'https://erp.example/?a=b' }, ['baseUrl']],
    ['a reserved header', { headers: { Host: 'x' } }, ['headers', 'Host']],
    ['a header with a line break', { headers: { 'X-A': 'b\r\nc: d' } }, ['headers', 'X-A']],
    ['headers that are no object', { headers: ['x'] }, ['headers']],
    ['a token', { authentication: { kind: 'BEARER' } }, ['authentication', 'secret']],
    ['a token with a line break', { authentication: { kind: 'BEARER', secret: 'a\nb' } }, ['authentication', 'secret']],
    ['no name of a token', { authentication: { kind: 'BEARER', name: 'x', secret: 'y' } }, ['authentication', 'name']],
    ['no secret of nothing', { authentication: { kind: 'NONE', secret: 'y' } }, ['authentication', 'secret']],
    ['a user name', { authentication: { kind: 'BASIC', name: 'a:b', secret: 'y' } }, ['authentication', 'name']],
    ['a header', { authentication: { kind: 'HEADER', name: 'Host', secret: 'y' } }, ['authentication', 'name']],
    ['a parameter', { authentication: { kind: 'QUERY', name: 'a&b', secret: 'y' } }, ['authentication', 'name']],
    [
      'one header only once',
      { authentication: { kind: 'BEARER', secret: 'y' }, headers: { authorization: 'x' } },
      ['headers', 'authorization'],
    ],
  ])('needs %s', async (_what, more, field) => {
    const input = { name: 'ERP', baseUrl: 'https://erp.example', ...more };
    const { data, errors } = await run(CREATE, { input });
    expect(errors).toEqual([]);
    expect(data.createConnection.connection).toBeNull();
    expect(data.createConnection.userErrors.map((error: { field: string[] }) => error.field)).toContainEqual(field);
  });

  it('is for who may', async () => {
    const input = { name: 'ERP', baseUrl: 'https://erp.example' };
    expect((await run(CREATE, { input }, viewer)).codes).toEqual(['FORBIDDEN']);
    expect((await run(CREATE, { input }, null)).codes).toEqual(['UNAUTHENTICATED']);
    const writer = await fixture.addUser('editor', ['connections:write']);
    expect((await run(CREATE, { input }, writer)).data.createConnection.connection.version).toBe(1);
  });
});

describe('updateConnection', () => {
  it('changes what is given, and refuses another version, what is not there, and whoever may not', async () => {
    const id = await create({ description: 'old', authentication: { kind: 'BEARER', secret: SECRET } });
    const { data } = await run(UPDATE, { input: { id, expectedVersion: 1, name: 'Renamed', description: null } });
    expect(data.updateConnection).toMatchObject({
      connection: { name: 'Renamed', description: null, version: 2, authentication: { kind: 'BEARER' } },
      userErrors: [],
    });
    expect((await run(UPDATE, { input: { id, expectedVersion: 1 } })).codes).toEqual(['CONFLICT']);
    const none = formatId('connection', newUuidV7());
    expect((await run(UPDATE, { input: { id: none } })).codes).toEqual(['NOT_FOUND']);
    expect((await run(UPDATE, { input: { id: 'conn-x' } })).codes).toEqual(['BAD_USER_INPUT']);
    expect((await run(UPDATE, { input: { id } }, viewer)).codes).toEqual(['FORBIDDEN']);
    const moved = await run(UPDATE, { input: { id, baseUrl: 'https://evil.example' } });
    expect(moved.data.updateConnection).toEqual({
      connection: null,
      userErrors: [{ field: ['authentication'], code: 'REQUIRED' }],
    });
  });
});

describe('deleteConnection', () => {
  it('deletes one that nothing uses', async () => {
    const id = await create();
    expect((await run(DELETE, { input: { id, expectedVersion: 2 } })).codes).toEqual(['CONFLICT']);
    expect((await run(DELETE, { input: { id } }, viewer)).codes).toEqual(['FORBIDDEN']);
    expect((await run(DELETE, { input: { id } })).data.deleteConnection).toEqual({
      deletedConnectionId: id,
      userErrors: [],
    });
    expect((await run(DELETE, { input: { id } })).codes).toEqual(['NOT_FOUND']);
  });

  it('refuses one that a worker of any kind names anywhere in its current version, and says which', async () => {
    const id = await create();
    await fixture.addWorkers('worker-user');
    const { pool } = fixture.database;
    await pool.query(
      `insert into worker_versions (worker_id, version, definition, timeout_ms, attempts_max)
       values ('worker-user', 1, $1, 30000, 3), ('worker-user', 2, '{}', 30000, 3)`,
      [{ steps: [{ do: [{ http: { connection: id } }] }] }],
    );
    expect((await run(DELETE, { input: { id } })).data.deleteConnection).toMatchObject({
      deletedConnectionId: null,
      userErrors: [{ field: ['id'], code: 'CONNECTION_IN_USE', message: expect.stringContaining('(worker-user)') }],
    });
    await pool.query("update workers set current_version = 2 where id = 'worker-user'");
    expect((await run(DELETE, { input: { id } })).data.deleteConnection.deletedConnectionId).toBe(id);
  });
});

describe('connection and connections', () => {
  const LIST = `query ($first: Int, $after: String) { connections(first: $first, after: $after) {
    nodes { id } pageInfo { hasNextPage endCursor } totalCount } }`;

  it('give one by its id, and all by pages, the newest first', async () => {
    const [older, newer] = [await create(), await create()];
    const one = await run(`query ($id: ID!) { connection(id: $id) { ${CONNECTION} } node(id: $id) { id } }`, {
      id: older,
    });
    expect(one.data).toMatchObject({
      connection: { id: older, baseUrl: 'https://erp.example/api' },
      node: { id: older },
    });
    const first = (await run(LIST, { first: 1 })).data.connections;
    expect(first).toMatchObject({ nodes: [{ id: newer }], pageInfo: { hasNextPage: true } });
    expect(first.totalCount).toBeGreaterThan(1);
    const second = (await run(LIST, { first: 1, after: first.pageInfo.endCursor })).data.connections;
    expect(second.nodes).toEqual([{ id: older }]);
  });

  it('give null, refuse and forbid', async () => {
    const ONE = 'query ($id: ID!) { connection(id: $id) { id } }';
    const none = formatId('connection', newUuidV7());
    expect((await run(ONE, { id: none })).data.connection).toBeNull();
    expect((await run(ONE, { id: 'nonsense' })).codes).toEqual(['BAD_USER_INPUT']);
    expect((await run(ONE, { id: none }, stranger)).codes).toEqual(['FORBIDDEN']);
    expect((await run(LIST, {}, stranger)).codes).toEqual(['FORBIDDEN']);
    expect((await run('query ($id: ID!) { node(id: $id) { id } }', { id: none }, stranger)).codes).toEqual([
      'FORBIDDEN',
    ]);
    expect((await run(ONE, { id: none }, viewer)).errors).toEqual([]);
  });
});
