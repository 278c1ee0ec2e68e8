import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Principal } from '../../../src/access/principal.js';
import { newWorkerId } from '../../../src/lib/ids.js';
import { addWorkerVersions, type GraphqlFixture, openGraphqlFixture } from '../../support/graphql-fixture.js';

let fixture: GraphqlFixture;
let viewer: Principal;
let run: GraphqlFixture['run'];

beforeAll(async () => {
  fixture = await openGraphqlFixture();
  run = fixture.run;
  viewer = await fixture.addUser('viewer');
  await fixture.addWorkers('worker-code-a', 'worker-code-b', 'worker-code-c');
  await addWorkerVersions(fixture, { type: 'object' });
});

afterAll(() => fixture.close());

const WORKER = `__typename id name description kind inputSchema outputSchema version timeout attemptsMax deletedAt
  ... on HttpWorker { method url headerNames }`;
const CREATE = `mutation ($input: CreateHttpWorkerInput!) { createHttpWorker(input: $input) {
  worker { ${WORKER} } signingSecret userErrors { field code } } }`;
const UPDATE = `mutation ($input: UpdateHttpWorkerInput!) { updateHttpWorker(input: $input) {
  worker { ${WORKER} } signingSecret userErrors { field code } } }`;
const DELETE = `mutation ($input: DeleteWorkerInput!) { deleteWorker(input: $input) { deletedWorkerId userErrors { field code } } }`;

const byField = (a: { field: string[] }, b: { field: string[] }): number =>
  a.field.join('.') < b.field.join('.') ? -1 : 1;

const create = async (more: Record<string, unknown> = {}): Promise<string> => {
  const input = { name: 'Endpoint', url: 'https://api.example/run', ...more };
  return (await run(CREATE, { input })).data.createHttpWorker.worker.id;
};

describe('createHttpWorker', () => {
  it('gives the worker with its defaults and the signing secret, and hides header values', async () => {
    const input = { name: 'Endpoint', url: 'https://api.example/run', headers: { 'X-Key': 'hidden' }, timeout: 'PT5S' };
    const { data, errors } = await run(CREATE, { input });
    expect(errors).toEqual([]);
    expect(data.createHttpWorker).toEqual({
      worker: {
        __typename: 'HttpWorker',
        id: expect.stringMatching(/^worker-/),
        name: 'Endpoint',
        description: null,
        kind: 'HTTP',
        inputSchema: null,
        outputSchema: null,
        version: 1,
        timeout: 'PT5S',
        attemptsMax: 5,
        deletedAt: null,
        method: 'POST',
        url: 'https://api.example/run',
        headerNames: ['X-Key'],
      },
      signingSecret: expect.stringMatching(/^whsec_/),
      userErrors: [],
    });
  });

  it('takes templates, limits and a connection, and shows them', async () => {
    const connected = await run(
      `mutation { createConnection(input: { name: "ERP", baseUrl: "https://erp.example" }) { connection { id } } }`,
    );
    const connectionId = connected.data.createConnection.connection.id;
    const settings = {
      query: { q: '{{ input.q }}' },
      body: { id: '{{ input.id }}' },
      result: '{{ response.body.id }}',
      successWhen: 'response.status == 200',
      headersTimeout: 'PT2S',
      bodyTimeout: 'PT3S',
      responseBytesMax: 1_000,
    };
    const url = '/orders/{{ input.id }}';
    const id = await create({ url, connectionId, ...settings });
    const SHOWN = `query ($id: ID!) { worker(id: $id) { ... on HttpWorker {
      url query body result successWhen headersTimeout bodyTimeout responseBytesMax connection { id name } } } }`;
    const { data, errors } = await run(SHOWN, { id });
    expect(errors).toEqual([]);
    expect(data.worker).toEqual({ url, ...settings, connection: { id: connectionId, name: 'ERP' } });
    const narrowed = await fixture.addUser('viewer', ['workers:read']);
    expect((await run(SHOWN, { id }, narrowed)).codes).toEqual(['FORBIDDEN']);
    const plain = await create({ connectionId: null });
    expect((await run(SHOWN, { id: plain })).data.worker).toMatchObject({ connection: null, body: null, query: {} });
  });

  it('names what is wrong in a template', async () => {
    const input = {
      name: 'x',
      url: 'https://{{ input.host }}/',
      headers: { timeoutMs: '{{' },
      body: '{{ input',
      headersTimeout: 'PT2H',
      connectionId: null,
    };
    const { data } = await run(CREATE, { input });
    expect(data.createHttpWorker.userErrors.toSorted(byField)).toEqual([
      { field: ['body'], code: 'INVALID' },
      { field: ['headers', 'timeoutMs'], code: 'INVALID' },
      { field: ['headersTimeout'], code: 'OUT_OF_RANGE' },
      { field: ['url'], code: 'INVALID' },
    ]);
  });

  it('says all that is to be mended, in the names of the input', async () => {
    const input = {
      name: '',
      url: 'ftp://api.example',
      headers: { Host: 'x' },
      inputSchema: { type: 'nonsense' },
      timeout: 'PT2H',
      attemptsMax: 0,
    };
    const { data } = await run(CREATE, { input });
    expect(data.createHttpWorker).toMatchObject({ worker: null, signingSecret: null });
    expect(data.createHttpWorker.userErrors).toEqual(
      expect.arrayContaining([
        { field: ['name'], code: 'REQUIRED' },
        { field: ['url'], code: 'INVALID' },
        { field: ['headers', 'Host'], code: 'INVALID' },
        { field: ['inputSchema'], code: 'INVALID_SCHEMA' },
        { field: ['timeout'], code: 'OUT_OF_RANGE' },
        { field: ['attemptsMax'], code: 'OUT_OF_RANGE' },
      ]),
    );
    const odd = await run(CREATE, {
      input: { name: 'x', url: 'https://a.example', headers: ['x'], inputSchema: 'text' },
    });
    expect(odd.data.createHttpWorker.userErrors.map(({ field }: { field: string[] }) => field[0])).toEqual(
      expect.arrayContaining(['headers', 'inputSchema']),
    );
  });

  it('refuses what is no input, and whoever may not', async () => {
    expect((await run(CREATE, { input: { name: 'x' } })).codes).toEqual(['BAD_USER_INPUT']);
    expect((await run(CREATE, { input: { name: 'x', url: 'https://a.example' } }, viewer)).codes).toEqual([
      'FORBIDDEN',
    ]);
  });
});

describe('updateHttpWorker', () => {
  it('makes a new version of what is given and leaves the rest', async () => {
    const id = await create({ description: 'old', inputSchema: { type: 'object' } });
    const { data } = await run(UPDATE, { input: { id, expectedVersion: 1, name: 'Renamed', description: null } });
    expect(data.updateHttpWorker).toMatchObject({
      worker: { id, name: 'Renamed', description: null, version: 2, inputSchema: { type: 'object' } },
      signingSecret: null,
      userErrors: [],
    });
    const bare = await run(UPDATE, { input: { id, inputSchema: null, regenerateSigningSecret: true } });
    expect(bare.data.updateHttpWorker).toMatchObject({
      worker: { version: 3, inputSchema: null },
      signingSecret: expect.stringMatching(/^whsec_/),
    });
  });

  it('refuses another version, a CODE worker, what does not exist, and whoever may not', async () => {
    const id = await create();
    expect((await run(UPDATE, { input: { id, expectedVersion: 7 } })).codes).toEqual(['CONFLICT']);
    expect((await run(UPDATE, { input: { id: newWorkerId() } })).codes).toEqual(['NOT_FOUND']);
    expect((await run(UPDATE, { input: { id: 'nonsense' } })).codes).toEqual(['BAD_USER_INPUT']);
    expect((await run(UPDATE, { input: { id } }, viewer)).codes).toEqual(['FORBIDDEN']);
    const { data } = await run(UPDATE, { input: { id: 'worker-code-a', name: 'x' } });
    expect(data.updateHttpWorker.userErrors).toEqual([{ field: ['id'], code: 'WORKER_READ_ONLY' }]);
  });
});

describe('deleteWorker', () => {
  it('deletes what no webhook uses; its id still finds it', async () => {
    const id = await create();
    expect((await run(DELETE, { input: { id } })).data.deleteWorker).toEqual({ deletedWorkerId: id, userErrors: [] });
    expect(
      (await run('query ($id: ID!) { worker(id: $id) { deletedAt } }', { id })).data.worker.deletedAt,
    ).not.toBeNull();
    expect(
      (await run('query { workers(kind: HTTP, first: 100) { nodes { id } } }')).data.workers.nodes,
    ).not.toContainEqual({ id });
  });

  it('refuses one that a webhook uses, another version, what does not exist, and whoever may not', async () => {
    const id = await create();
    await fixture.addWebhook('Uses it', [id]);
    expect((await run(DELETE, { input: { id } })).data.deleteWorker).toEqual({
      deletedWorkerId: null,
      userErrors: [{ field: ['id'], code: 'WORKER_IN_USE' }],
    });
    expect((await run(DELETE, { input: { id, expectedVersion: 2 } })).codes).toEqual(['CONFLICT']);
    expect((await run(DELETE, { input: { id: newWorkerId() } })).codes).toEqual(['NOT_FOUND']);
    expect((await run(DELETE, { input: { id: 'nonsense' } })).codes).toEqual(['BAD_USER_INPUT']);
    expect((await run(DELETE, { input: { id } }, viewer)).codes).toEqual(['FORBIDDEN']);
  });
});

describe('worker', () => {
  it('gives a worker with the webhooks that run it', async () => {
    const older = await fixture.addWebhook('Older', ['worker-code-c']);
    const newer = await fixture.addWebhook('Newer', ['worker-code-a', 'worker-code-c']);
    const { data } = await run(`{ worker(id: "worker-code-c") { ${WORKER} webhooks { id } } }`);
    expect(data.worker).toMatchObject({
      __typename: 'CodeWorker',
      kind: 'CODE',
      inputSchema: { type: 'object' },
      timeout: 'PT30S',
      webhooks: [{ id: newer }, { id: older }],
    });
  });

  it('gives null, refuses, and forbids', async () => {
    expect((await run('query ($id: ID!) { worker(id: $id) { id } }', { id: newWorkerId() })).data.worker).toBeNull();
    expect((await run('{ worker(id: "nonsense") { id } }')).codes).toEqual(['BAD_USER_INPUT']);
    const stranger = await fixture.addUser('owner', ['calls:read']);
    expect((await run('{ worker(id: "worker-code-a") { id } }', {}, stranger)).codes).toEqual(['FORBIDDEN']);
    expect((await run('{ workers { nodes { id } } }', {}, stranger)).codes).toEqual(['FORBIDDEN']);
  });
});

describe('workers', () => {
  const LIST = `query ($first: Int, $after: String, $last: Int, $before: String, $kind: WorkerKind, $text: String) {
    workers(first: $first, after: $after, last: $last, before: $before, kind: $kind, text: $text) {
      nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount } }`;

  it('pages by name, both ways, and filters', async () => {
    const list = async (variables: Record<string, unknown>) =>
      (await run(LIST, { text: 'CODE-', ...variables })).data.workers;
    const first = await list({ first: 2 });
    expect(first).toMatchObject({
      nodes: [{ id: 'worker-code-a' }, { id: 'worker-code-b' }],
      pageInfo: { hasNextPage: true, hasPreviousPage: false },
      totalCount: 3,
    });
    const second = await list({ first: 2, after: first.pageInfo.endCursor });
    expect(second).toMatchObject({
      nodes: [{ id: 'worker-code-c' }],
      pageInfo: { hasNextPage: false, hasPreviousPage: true },
    });
    const back = await list({ last: 1, before: second.pageInfo.startCursor });
    expect(back).toMatchObject({
      nodes: [{ id: 'worker-code-b' }],
      pageInfo: { hasNextPage: true, hasPreviousPage: true },
    });
    expect((await list({ kind: 'HTTP' })).totalCount).toBe(0);
    expect((await run(LIST, { after: 'nonsense' })).codes).toEqual(['BAD_USER_INPUT']);
    expect((await run(LIST, { kind: 'NONSENSE' })).codes).toEqual(['BAD_USER_INPUT']);
    const newest = `{ workers(text: "CODE-", orderBy: { field: CREATED_AT, direction: DESC }, first: 1) { nodes { id } } }`;
    const { rows } = await fixture.database.pool.query<{ id: string }>(
      "select id from workers where id like 'worker-code-%' order by created_at desc, id desc limit 1",
    );
    expect((await run(newest)).data.workers.nodes).toEqual(rows);
  });
});
