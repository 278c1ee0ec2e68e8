import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { verifyAudit } from '../../../src/access/audit.js';
import type { Principal } from '../../../src/access/principal.js';
import { formatId, newUuidV7, newWorkerId } from '../../../src/lib/ids.js';
import { addWorkerVersions, type GraphqlFixture, openGraphqlFixture } from '../../support/graphql-fixture.js';

let fixture: GraphqlFixture;
let viewer: Principal;
let run: GraphqlFixture['run'];
let modelId: string;
let connectionId: string;

beforeAll(async () => {
  fixture = await openGraphqlFixture();
  run = fixture.run;
  viewer = await fixture.addUser('viewer');
  await fixture.addWorkers('worker-look-up');
  await addWorkerVersions(fixture, { type: 'object' });
  const model = newUuidV7();
  await fixture.database.pool.query(
    `insert into models (id, name, provider, model_name, prompt_price, completion_price, requests_per_minute,
       tokens_per_minute, concurrency_max) values ($1, 'test', 'OPENAI', 'gpt', 0, 0, 0, 0, 0)`,
    [model],
  );
  modelId = formatId('model', model);
  const connected = await run(
    `mutation { createConnection(input: { name: "ERP", baseUrl: "https://erp.example" }) { connection { id } } }`,
  );
  connectionId = connected.data.createConnection.connection.id;
});

afterAll(() => fixture.close());

const AGENT = `__typename id name description kind inputSchema outputSchema version timeout attemptsMax
  ... on AgentWorker { instructions modelId model { id name } temperature outputTokensMax stepsMax messageHistoryLimit inputTemplate
    tools { name kind description workerId worker { id name } connectionId connection { id name } server allow method
      path parameters timeout } }`;
const CREATE = `mutation ($input: CreateAgentWorkerInput!) { createAgentWorker(input: $input) {
  worker { ${AGENT} } userErrors { field message code } } }`;
const UPDATE = `mutation ($input: UpdateAgentWorkerInput!) { updateAgentWorker(input: $input) {
  worker { ${AGENT} } userErrors { field message code } } }`;

const create = async (more: Record<string, unknown> = {}): Promise<string> => {
  const { data } = await run(CREATE, { input: { name: 'Agent', instructions: 'Be of use.', ...more } });
  return data.createAgentWorker.worker.id;
};
const faultsOf = async (more: Record<string, unknown>): Promise<unknown> => {
  const { data } = await run(CREATE, { input: { name: 'Agent', instructions: 'Be of use.', ...more } });
  expect(data.createAgentWorker.worker).toBeNull();
  return data.createAgentWorker.userErrors.map(({ field, code }: { field: string[]; code: string }) => [
    field.join('.'),
    code,
  ]);
};

const NOTHING = { description: null, workerId: null, worker: null, connectionId: null, connection: null, server: null };
const NO_MORE = { allow: null, method: null, path: null, parameters: null, timeout: null };
const PARAMETERS = { type: 'object', properties: { number: { type: 'integer' } }, required: ['number'] };

describe('createAgentWorker', () => {
  it('needs a name and instructions, and has a default for the rest', async () => {
    const { data, errors } = await run(CREATE, { input: { name: ' Triage ', instructions: 'Be of use.' } });
    expect(errors).toEqual([]);
    expect(data.createAgentWorker).toEqual({
      worker: {
        __typename: 'AgentWorker',
        id: expect.stringMatching(/^worker-[0-9a-z]{26}$/),
        name: 'Triage',
        description: null,
        kind: 'AGENT',
        inputSchema: null,
        outputSchema: null,
        version: 1,
        timeout: 'PT5M',
        attemptsMax: 3,
        instructions: 'Be of use.',
        modelId: null,
        model: null,
        temperature: null,
        outputTokensMax: null,
        stepsMax: 10,
        messageHistoryLimit: 20,
        inputTemplate: null,
        tools: [],
      },
      userErrors: [],
    });
  });

  it('takes everything that an agent can have, and shows it', async () => {
    const settings = {
      description: 'Sorts tickets.',
      modelId,
      temperature: 0.5,
      outputTokensMax: 500,
      stepsMax: 4,
      messageHistoryLimit: 0,
      inputTemplate: '{{ input.text }}',
      inputSchema: { type: 'object' },
      outputSchema: { type: 'object', required: ['queue'] },
      timeout: 'PT1M',
      attemptsMax: 1,
    };
    const http = { connectionId, method: 'GET', path: '/orders/{number}', parameters: PARAMETERS, timeout: 'PT5S' };
    const tools = [
      { name: 'shop', mcp: { server: 'shop', allow: ['find_order'] } },
      { name: 'erp', mcp: { connectionId, path: '/mcp' } },
      { name: 'order', description: 'Finds an order.', http },
      { name: 'look_up', worker: { workerId: 'worker-look-up' } },
    ];
    const { data, errors } = await run(CREATE, { input: { name: 'A', instructions: 'B', ...settings, tools } });
    expect(errors).toEqual([]);
    const connection = { id: connectionId, name: 'ERP' };
    expect(data.createAgentWorker.worker).toMatchObject({
      ...settings,
      model: { id: modelId, name: 'test' },
      tools: [
        { ...NOTHING, ...NO_MORE, name: 'shop', kind: 'MCP', server: 'shop', allow: ['find_order'] },
        { ...NOTHING, ...NO_MORE, name: 'erp', kind: 'MCP', connectionId, connection, path: '/mcp' },
        { ...NOTHING, ...NO_MORE, name: 'order', kind: 'HTTP', description: 'Finds an order.', connection, ...http },
        {
          ...NOTHING,
          ...NO_MORE,
          name: 'look_up',
          kind: 'WORKER',
          workerId: 'worker-look-up',
          worker: { id: 'worker-look-up', name: 'worker-look-up' },
        },
      ],
    });
  });

  it.each([
    ['a name that is empty', { name: ' ' }, [['name', 'REQUIRED']]],
    ['instructions that are empty', { instructions: '' }, [['instructions', 'OUT_OF_RANGE']]],
    ['what cannot be stored', { instructions: 'a\0b' }, [['instructions', 'INVALID_CHARACTERS']]],
    ['a temperature out of range', { temperature: 3 }, [['temperature', 'OUT_OF_RANGE']]],
    ['no steps', { stepsMax: 0 }, [['stepsMax', 'OUT_OF_RANGE']]],
    ['a timeout that is too long', { timeout: 'PT2H' }, [['timeout', 'OUT_OF_RANGE']]],
    ['a template that is broken', { inputTemplate: '{{ input.' }, [['inputTemplate', 'INVALID_TEMPLATE']]],
    ['a schema that is none', { outputSchema: { type: 'nonsense' } }, [['outputSchema', 'INVALID_SCHEMA']]],
    ['a schema that is no object', { inputSchema: 'x' }, [['inputSchema', 'INVALID']]],
    ['a model that there is not', { modelId: 'model-x' }, [['modelId', 'NOT_FOUND']]],
    ['a tool that is nothing', { tools: [{ name: 'a' }] }, [['tools.0', 'INVALID']]],
    [
      'a tool that is two things',
      { tools: [{ name: 'a', mcp: { server: 'shop' }, worker: { workerId: 'worker-look-up' } }] },
      [['tools.0', 'INVALID']],
    ],
    [
      'a name that models cannot say',
      { tools: [{ name: 'a b', worker: { workerId: 'worker-look-up' } }] },
      [['tools.0.name', 'INVALID']],
    ],
    [
      'two tools of one name',
      {
        tools: [
          { name: 'a', mcp: { server: 'shop' } },
          { name: 'a', worker: { workerId: 'worker-look-up' } },
        ],
      },
      [
        ['tools.0.name', 'DUPLICATE'],
        ['tools.1.name', 'DUPLICATE'],
      ],
    ],
    ['an MCP server that is nowhere', { tools: [{ name: 'a', mcp: {} }] }, [['tools.0.mcp.server', 'INVALID']]],
    [
      'an MCP server that the operator has not',
      { tools: [{ name: 'a', mcp: { server: 'files' } }] },
      [['tools.0.mcp.server', 'NOT_FOUND']],
    ],
    [
      'a connection that there is not',
      { tools: [{ name: 'a', mcp: { connectionId: 'conn-x' } }] },
      [['tools.0.mcp.connectionId', 'NOT_FOUND']],
    ],
    [
      'a worker that there is not',
      { tools: [{ name: 'a', worker: { workerId: newWorkerId() } }] },
      [['tools.0.worker.workerId', 'NOT_FOUND']],
    ],
  ])('refuses %s', async (_, input, faults) => {
    expect(await faultsOf(input)).toEqual(faults);
  });

  it.each([
    ['a parameter that there is not', { path: '/a/{id}' }, 'tools.0.http.path'],
    ['a path without a slash', { path: 'a' }, 'tools.0.http.path'],
    ['parameters that are no object', { parameters: { type: 'string' } }, 'tools.0.http.parameters'],
    ['another method', { method: 'TRACE' }, 'tools.0.http.method'],
    ['a timeout that is too long', { timeout: 'PT1H' }, 'tools.0.http.timeout'],
  ])('refuses a request with %s', async (_, more, field) => {
    const http = { connectionId, path: '/a', parameters: PARAMETERS, ...more };
    const faults = await faultsOf({ tools: [{ name: 'a', description: 'b', http }] });
    expect(faults).toEqual([[field, expect.any(String)]]);
  });
});

describe('updateAgentWorker', () => {
  it('makes a new version, leaves what is not named, and resets what is null', async () => {
    const id = await create({ temperature: 1, stepsMax: 3, outputSchema: { type: 'object' } });
    const { data, errors } = await run(UPDATE, {
      input: { id, expectedVersion: 1, instructions: 'Be brief.', stepsMax: null, outputSchema: null },
    });
    expect(errors).toEqual([]);
    expect(data.updateAgentWorker.worker).toMatchObject({
      version: 2,
      name: 'Agent',
      instructions: 'Be brief.',
      temperature: 1,
      stepsMax: 10,
      outputSchema: null,
    });
    const { rows } = await fixture.database.pool.query(
      `select definition ->> 'instructions' as instructions from worker_versions where worker_id = $1 order by version`,
      [id],
    );
    expect(rows).toEqual([{ instructions: 'Be of use.' }, { instructions: 'Be brief.' }]);
  });

  it('refuses another version than the one seen', async () => {
    const id = await create();
    const { codes } = await run(UPDATE, { input: { id, expectedVersion: 2, name: 'x' } });
    expect(codes).toEqual(['CONFLICT']);
  });

  it('leaves workers of other kinds alone, and those that are not there', async () => {
    const { data } = await run(UPDATE, { input: { id: 'worker-look-up', name: 'x' } });
    expect(data.updateAgentWorker.userErrors).toMatchObject([{ field: ['id'], code: 'WORKER_READ_ONLY' }]);
    const { codes } = await run(UPDATE, { input: { id: newWorkerId(), name: 'x' } });
    expect(codes).toEqual(['NOT_FOUND']);
  });

  it('refuses agents that would call one another in a circle', async () => {
    const last = await create();
    const middle = await create({ tools: [{ name: 'a', worker: { workerId: last } }] });
    const first = await create({ tools: [{ name: 'a', worker: { workerId: middle } }] });
    for (const workerId of [first, middle, last]) {
      const { data } = await run(UPDATE, { input: { id: last, tools: [{ name: 'a', worker: { workerId } }] } });
      expect(data.updateAgentWorker.userErrors).toMatchObject([
        { field: ['tools', '0', 'worker', 'workerId'], code: 'CYCLE' },
      ]);
    }
  });
});

describe('a worker that an agent has as a tool', () => {
  const DELETE = `mutation ($input: DeleteWorkerInput!) { deleteWorker(input: $input) {
    deletedWorkerId userErrors { field code message } } }`;
  const remove = async (id: string) => (await run(DELETE, { input: { id } })).data.deleteWorker;

  it('is not deleted, and who uses it is said, until none does', async () => {
    const tool = await create();
    const user = await create({ name: 'The user', tools: [{ name: 'a', worker: { workerId: tool } }] });
    expect(await remove(tool)).toEqual({
      deletedWorkerId: null,
      userErrors: [
        {
          field: ['id'],
          code: 'WORKER_IN_USE',
          message: `These agents use this worker as a tool: The user (${user}).`,
        },
      ],
    });
    await run(UPDATE, { input: { id: user, tools: [] } }); // its old version still names it
    expect(await remove(tool)).toEqual({ deletedWorkerId: tool, userErrors: [] });
    const other = await create();
    const gone = await create({ tools: [{ name: 'a', worker: { workerId: other } }] });
    await remove(gone);
    expect(await remove(other)).toEqual({ deletedWorkerId: other, userErrors: [] });
  });

  it('does not become one while it is deleted, nor do two agents become each other’s', async () => {
    for (let n = 0; n < 10; n += 1) {
      const [tool, user] = [await create(), await create()];
      const tools = (workerId: string) => [{ name: 'a', worker: { workerId } }];
      const [removed, given] = await Promise.all([
        remove(tool),
        run(UPDATE, { input: { id: user, tools: tools(tool) } }),
      ]);
      expect(removed.userErrors.length + given.data.updateAgentWorker.userErrors.length).toBe(1);
      const [first, second] = [await create(), await create()];
      const both = await Promise.all([
        run(UPDATE, { input: { id: first, tools: tools(second) } }),
        run(UPDATE, { input: { id: second, tools: tools(first) } }),
      ]);
      expect(both.flatMap(({ data }) => data.updateAgentWorker.userErrors)).toMatchObject([{ code: 'CYCLE' }]);
    }
  });
});

it('is for those who may write workers', async () => {
  const { codes } = await run(CREATE, { input: { name: 'x', instructions: 'y' } }, viewer);
  expect(codes).toEqual(['FORBIDDEN']);
});

it('shows tools to those who may only read workers, but not what they lead to', async () => {
  const id = await create({ tools: [{ name: 'erp', mcp: { connectionId } }] });
  const reader = await fixture.addUser('owner', ['workers:read']);
  const SHOWN = 'query ($id: ID!) { worker(id: $id) { ... on AgentWorker { tools { connectionId } } } }';
  const { data } = await run(SHOWN, { id }, reader);
  expect(data.worker.tools).toEqual([{ connectionId }]);
  const { codes } = await run(SHOWN.replace('connectionId', 'connection { name }'), { id }, reader);
  expect(codes).toEqual(['FORBIDDEN']);
});

it('keeps the connections that agents use', async () => {
  await create({ tools: [{ name: 'erp', mcp: { connectionId } }] });
  const { data } = await run(
    'mutation ($id: ID!) { deleteConnection(input: { id: $id }) { deletedConnectionId userErrors { field } } }',
    { id: connectionId },
  );
  expect(data.deleteConnection).toEqual({ deletedConnectionId: null, userErrors: [{ field: ['id'] }] });
});

it('keeps the models that agents use', async () => {
  await create({ modelId });
  const { data } = await run(
    'mutation ($id: ID!) { deleteModel(input: { id: $id }) { deletedModelId userErrors { code } } }',
    { id: modelId },
  );
  expect(data.deleteModel).toEqual({ deletedModelId: null, userErrors: [{ code: 'MODEL_IN_USE' }] });
});

it('is in the audit log, which fits together', async () => {
  const id = await create();
  await run(UPDATE, { input: { id, name: 'Other' } });
  const { rows } = await fixture.database.pool.query(
    'select action from audit_events where subject_id = $1 order by seq',
    [id],
  );
  expect(rows).toEqual([{ action: 'worker.created' }, { action: 'worker.updated' }]);
  expect(await verifyAudit(fixture.database.pool)).toMatchObject({ intact: true });
});
