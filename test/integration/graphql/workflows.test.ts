import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { verifyAudit } from '../../../src/access/audit.js';
import { addWorkerVersions, type GraphqlFixture, openGraphqlFixture } from '../../support/graphql-fixture.js';

let fixture: GraphqlFixture;
let run: GraphqlFixture['run'];
let connectionId: string;

beforeAll(async () => {
  fixture = await openGraphqlFixture();
  run = fixture.run;
  await fixture.addWorkers('worker-look-up');
  await addWorkerVersions(fixture, { type: 'object' });
  const connected = await run(
    `mutation { createConnection(input: { name: "ERP", baseUrl: "https://erp.example" }) { connection { id } } }`,
  );
  connectionId = connected.data.createConnection.connection.id;
});

afterAll(() => fixture.close());

const WORKFLOW = `__typename id name description kind version inputSchema timeout attemptsMax
  ... on Workflow { definition definitionYaml steps { id kind parentId workerId worker { id } connectionId
    connection { id name } } }`;
const CREATE = `mutation ($input: CreateWorkflowInput!) { createWorkflow(input: $input) {
  worker { ${WORKFLOW} } userErrors { field message code } } }`;
const UPDATE = `mutation ($input: UpdateWorkflowInput!) { updateWorkflow(input: $input) {
  worker { ${WORKFLOW} } userErrors { field message code } } }`;
const VALIDATE = `mutation ($input: ValidateWorkflowInput!) { validateWorkflow(input: $input) {
  valid userErrors { field code } } }`;

const runs = (...workerIds: readonly string[]): object => ({
  version: 1,
  steps: workerIds.map((worker, i) => ({ id: `s${i}`, worker })),
});

const created = async (definition: unknown, more: Record<string, unknown> = {}): Promise<string> => {
  const { data, errors } = await run(CREATE, { input: { name: 'Flow', definition, ...more } });
  expect([errors, data.createWorkflow.userErrors]).toEqual([[], []]);
  return data.createWorkflow.worker.id;
};

type Fault = { readonly field: readonly string[]; readonly code: string };
const shown = (faults: readonly Fault[]): unknown => faults.map(({ field, code }) => `${field.join('.')} ${code}`);
const faultsOf = async (input: Record<string, unknown>): Promise<unknown> => {
  const { data } = await run(CREATE, { input: { name: 'Flow', ...input } });
  expect(data.createWorkflow.worker).toBeNull();
  return shown(data.createWorkflow.userErrors);
};
const faultsOfUpdate = async (input: Record<string, unknown>): Promise<unknown> =>
  shown((await run(UPDATE, { input })).data.updateWorkflow.userErrors);

describe('createWorkflow', () => {
  it('stores a definition as it was written and shows its steps', async () => {
    const definition = {
      version: 1,
      input: { type: 'object', required: ['order'] },
      steps: [
        { id: 'look', worker: 'worker-look-up', with: { id: '{{ input.order }}' } },
        {
          id: 'each',
          foreach: '{{ input.items }}',
          do: [{ id: 'stock', http: { connection: connectionId, path: '/s/{{ item }}' } }],
        },
      ],
      output: '{{ steps.look.result }}',
    };
    const { data, errors } = await run(CREATE, { input: { name: ' Order ', description: 'Checks it.', definition } });
    expect(errors).toEqual([]);
    expect(data.createWorkflow).toEqual({
      worker: {
        __typename: 'Workflow',
        id: expect.stringMatching(/^worker-[0-9a-z]{26}$/),
        name: 'Order',
        description: 'Checks it.',
        kind: 'WORKFLOW',
        version: 1,
        inputSchema: definition.input,
        timeout: 'PT1H',
        attemptsMax: 3,
        definition,
        definitionYaml: expect.stringMatching(/^version: 1\ninput:\n[^]*steps:\n  - id: look\n/),
        steps: [
          {
            id: 'look',
            kind: 'WORKER',
            parentId: null,
            workerId: 'worker-look-up',
            worker: { id: 'worker-look-up' },
            connectionId: null,
            connection: null,
          },
          {
            id: 'each',
            kind: 'FOREACH',
            parentId: null,
            workerId: null,
            worker: null,
            connectionId: null,
            connection: null,
          },
          {
            id: 'stock',
            kind: 'HTTP',
            parentId: 'each',
            workerId: null,
            worker: null,
            connectionId,
            connection: { id: connectionId, name: 'ERP' },
          },
        ],
      },
      userErrors: [],
    });
    const { data: again } = await run(CREATE, {
      input: { name: 'Copy', definitionYaml: data.createWorkflow.worker.definitionYaml },
    });
    expect(again.createWorkflow.worker.definition).toEqual(definition);
  });

  it('tells all faults at once, each at its place in the form that was given', async () => {
    const yaml = `version: 1\nsteps:\n  - id: a\n    worker: worker-none\n  - id: b\n    http: { connection: conn-none, path: / }\n`;
    expect(await faultsOf({ definitionYaml: yaml })).toEqual([
      'definitionYaml.steps.1.http.connection NOT_FOUND',
      'definitionYaml.steps.0.worker NOT_FOUND',
    ]);
    expect(await faultsOf({ name: ' ', timeout: 'PT48H', attemptsMax: 0, definition: {} })).toEqual([
      'name REQUIRED',
      'timeout OUT_OF_RANGE',
      'attemptsMax OUT_OF_RANGE',
      'definition.version INVALID',
      'definition.steps INVALID',
    ]);
  });

  it('takes exactly one form of the definition', async () => {
    expect(await faultsOf({})).toEqual(['definition REQUIRED']);
    expect(await faultsOf({ definition: {}, definitionYaml: '' })).toEqual(['definition INVALID']);
  });

  it.each([
    ['no YAML', 'steps: [', 'definitionYaml INVALID_YAML'],
    ['a name twice', 'version: 1\nversion: 2', 'definitionYaml INVALID_YAML'],
    ['a tag', 'version: !!js/function "x"', 'definitionYaml INVALID_YAML'],
    ['two documents', 'version: 1\n---\nversion: 1', 'definitionYaml INVALID_YAML'],
    [
      'aliases without end',
      `a: &a [x]\n${'b: [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n'.repeat(1)}c: [${'*a,'.repeat(200)}]`,
      'definitionYaml INVALID_YAML',
    ],
    ['too much', 'x'.repeat(262_145), 'definitionYaml TOO_LARGE'],
    ['no object', '- 1', 'definitionYaml INVALID'],
  ])('refuses a text with %s', async (_, definitionYaml, fault) => {
    expect(await faultsOf({ definitionYaml })).toEqual([fault]);
  });

  it('gives the same workflow again for the same key', async () => {
    const definition = runs('worker-look-up');
    const first = await created(definition, { idempotencyKey: 'once' });
    expect(await created(definition, { idempotencyKey: 'once' })).toBe(first);
    expect(await faultsOf({ definition: runs('worker-look-up', 'worker-look-up'), idempotencyKey: 'once' })).toEqual([
      'idempotencyKey IDEMPOTENCY_MISMATCH',
    ]);
  });

  it('refuses a chain of calls that the runner would refuse', async () => {
    let top = await created(runs('worker-look-up'));
    for (let i = 0; i < 6; i += 1) top = await created(runs(top));
    expect(await faultsOf({ definition: runs(top) })).toEqual(['definition.steps.0.worker TOO_DEEP']);
  });
});

describe('updateWorkflow', () => {
  it('makes a version with what was given and the rest as it was', async () => {
    const definition = runs('worker-look-up');
    const id = await created(definition, { timeout: 'PT5M' });
    const { data } = await run(UPDATE, { input: { id, expectedVersion: 1, name: 'Other' } });
    expect(data.updateWorkflow).toMatchObject({
      worker: { name: 'Other', version: 2, timeout: 'PT5M', definition },
      userErrors: [],
    });
    const redefined = await run(UPDATE, { input: { id, definition: runs('worker-look-up', 'worker-look-up') } });
    expect(redefined.data.updateWorkflow.worker).toMatchObject({ name: 'Other', version: 3, timeout: 'PT5M' });
    const stale = await run(UPDATE, { input: { id, expectedVersion: 1, name: 'Third' } });
    expect(stale.codes).toEqual(['CONFLICT']);
  });

  it('refuses a circle, over agents too', async () => {
    const lower = await created(runs('worker-look-up'));
    const { data } = await run(
      `mutation ($id: ID!) { createAgentWorker(input: { name: "Between", instructions: "Be of use.",
        tools: [{ name: "lower", worker: { workerId: $id } }] }) { worker { id } userErrors { message } } }`,
      { id: lower },
    );
    const agent = data.createAgentWorker.worker.id;
    expect(await faultsOfUpdate({ id: lower, definition: runs(agent) })).toEqual(['definition.steps.0.worker CYCLE']);
    expect(await faultsOfUpdate({ id: lower, definition: runs(lower) })).toEqual(['definition.steps.0.worker CYCLE']);
  });

  it("lets only one of two workflows become the other one's step", async () => {
    const [a, b] = [await created(runs('worker-look-up')), await created(runs('worker-look-up'))];
    const both = await Promise.all([
      faultsOfUpdate({ id: a, definition: runs(b) }),
      faultsOfUpdate({ id: b, definition: runs(a) }),
    ]);
    expect(both).toEqual(expect.arrayContaining([[], ['definition.steps.0.worker CYCLE']]));
  });

  it('is only for workflows', async () => {
    expect(await faultsOfUpdate({ id: 'worker-look-up', name: 'x' })).toEqual(['id WORKER_READ_ONLY']);
  });
});

describe('validateWorkflow', () => {
  it('finds what creating would find and stores nothing', async () => {
    const count = async (): Promise<number> =>
      (await run('{ workers(kind: WORKFLOW) { totalCount } }')).data.workers.totalCount;
    const before = await count();
    const good = await run(VALIDATE, { input: { definition: runs('worker-look-up') } });
    expect(good.data.validateWorkflow).toEqual({ valid: true, userErrors: [] });
    const bad = await run(VALIDATE, { input: { definition: runs('worker-none') } });
    expect(bad.data.validateWorkflow).toEqual({
      valid: false,
      userErrors: [{ field: ['definition', 'steps', '0', 'worker'], code: 'NOT_FOUND' }],
    });
    expect(await count()).toBe(before);
  });

  it('knows of a workflow that would run itself', async () => {
    const id = await created(runs('worker-look-up'));
    const { data } = await run(VALIDATE, { input: { id, definition: runs(id) } });
    expect(shown(data.validateWorkflow.userErrors)).toEqual(['definition.steps.0.worker CYCLE']);
  });

  it('does not wait for who changes what uses what: it only looks', async () => {
    const changing = await fixture.database.pool.connect();
    try {
      await changing.query('begin');
      await changing.query('select pg_advisory_xact_lock($1, $2)', [0x776f_726b, 0x7573_6573]);
      const { data } = await run(VALIDATE, { input: { definition: runs('worker-look-up') } });
      expect(data.validateWorkflow.valid).toBe(true);
    } finally {
      await changing.query('rollback');
      changing.release();
    }
  });
});

describe('what a workflow uses', () => {
  it('cannot be deleted', async () => {
    const lower = await created(runs('worker-look-up'));
    const upper = await created({
      version: 1,
      steps: [
        { id: 'a', worker: lower },
        { id: 'b', http: { connection: connectionId, path: '/' } },
      ],
    });
    const DELETE_WORKER = `mutation ($id: ID!) { deleteWorker(input: { id: $id }) { userErrors { code message } } }`;
    const refused = await run(DELETE_WORKER, { id: lower });
    expect(refused.data.deleteWorker.userErrors).toEqual([
      { code: 'WORKER_IN_USE', message: expect.stringContaining(upper) },
    ]);
    const connection = await run(
      `mutation ($id: ID!) { deleteConnection(input: { id: $id }) { userErrors { code message } } }`,
      { id: connectionId },
    );
    expect(connection.data.deleteConnection.userErrors[0].message).toContain(upper);
    expect((await run(DELETE_WORKER, { id: upper })).data.deleteWorker.userErrors).toEqual([]);
    expect((await run(DELETE_WORKER, { id: lower })).data.deleteWorker.userErrors).toEqual([]);
  });
});

it('audits what was made and changed, without the definition', async () => {
  const { rows } = await fixture.database.pool.query<{ text: string }>(
    `select details::text as text from audit_events where action in ('worker.created', 'worker.updated')`,
  );
  expect(rows.length).toBeGreaterThan(0);
  expect(rows.filter(({ text }) => text.includes('worker-look-up'))).toEqual([]);
  expect(await verifyAudit(fixture.database.pool)).toMatchObject({ intact: true });
});
