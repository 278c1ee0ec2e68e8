import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { buildGraphqlSchema } from '../../../src/graphql/schema.js';
import { listFields, selectionOf } from '../../support/generated-selection.js';
import { addWorkerVersions, type GraphqlFixture, openGraphqlFixture } from '../../support/graphql-fixture.js';
import { notingPool } from '../../support/noting-pool.js';

const MANY = 20;
const schema = buildGraphqlSchema();
const lists = listFields(schema);
const roots = lists.filter(({ path }) => path.startsWith('Query.'));
/** Workers are listed by kind too, so that each kind is there many times. */
const more: Readonly<Record<string, readonly string[]>> = { workers: [', kind: AGENT', ', kind: WORKFLOW', ''] };

let fixture: GraphqlFixture;
let statements: string[] = [];
const asked = new Set<string>();

beforeAll(async () => {
  fixture = await openGraphqlFixture((services) => {
    const pool = notingPool(services.database.pool, (text) => statements.push(text));
    const database = new Proxy(services.database, {
      get: (target, key): unknown => (key === 'pool' ? pool : Reflect.get(target, key, target)),
    });
    return { ...services, database };
  });
  await addManyOfEach();
});

afterAll(() => fixture.close());

/** The payload of a mutation that must not fail. */
// eslint-disable-next-line typescript/no-explicit-any -- it is taken apart by what was asked
async function made(mutation: string, input: Record<string, unknown>, fields = ''): Promise<any> {
  const type = `${mutation[0]!.toUpperCase()}${mutation.slice(1)}Input`;
  const { data, errors } = await fixture.run(
    `mutation ($input: ${type}!) { ${mutation}(input: $input) { ${fields} userErrors { field message } } }`,
    { input },
  );
  expect({ errors, userErrors: data?.[mutation]?.userErrors }).toEqual({ errors: [], userErrors: [] });
  return data[mutation];
}

/** Each thing with others of its own below it: what is shared is read once in any case. */
async function addManyOfEach(): Promise<void> {
  const workers = Array.from({ length: MANY }, (_, i) => `worker-${i}`);
  await fixture.addWorkers(...workers);
  await addWorkerVersions(fixture);
  for (let i = 0; i < MANY; i += 1) {
    const name = `number ${i}`;
    await made('inviteUser', { name, email: `u${i}@a.example`, role: 'VIEWER' });
    await made('createApiToken', { name });
    const { connection } = await made(
      'createConnection',
      { name, baseUrl: `https://c${i}.example` },
      'connection { id }',
    );
    const model = await made(
      'createModel',
      { name, provider: 'OPENAI', modelName: 'm', apiKey: 'sk-1' },
      'model { id }',
    );
    const request = { connectionId: connection.id, method: 'GET', path: '/x', parameters: { type: 'object' } };
    const tools = [
      { name: 'other', worker: { workerId: workers[i] } },
      { name: 'request', description: 'Asks.', http: request },
    ];
    await made('createAgentWorker', { name, instructions: 'Be of use.', modelId: model.model.id, tools });
    const steps = [
      { id: 'other', worker: workers[i] },
      { id: 'request', http: { connection: connection.id, path: '/x' } },
    ];
    await made('createWorkflow', { name, definition: { version: 1, steps } });
    const workerIds = [workers[i]!, workers[(i + 1) % MANY]!];
    const flow = { concurrency: 1 };
    const webhookId = await fixture.addWebhook(name, workerIds, { flow, callbackUrl: `https://b${i}.example/` });
    await made('setRateLimit', { scope: 'WEBHOOK', subjectId: webhookId, perMinute: 100 });
    for (let c = 0; c < 2; c += 1) await fixture.addCall({ webhookId, workerIds });
  }
  for (const statement of ROWS) await fixture.database.pool.query(statement);
}

/** What comes about only in other processes or over time. */
const ROWS = [
  `update webhooks set owner_id = u.id
   from (select id, row_number() over (order by id) n from users) u,
     (select id, row_number() over (order by id) n from webhooks) w where w.id = webhooks.id and u.n = w.n`,
  `insert into callbacks (id, call_id, webhook_id, attempts) select gen_random_uuid(), id, webhook_id, 1 from calls`,
  `insert into callback_attempts (callback_id, number, at, duration_ms) select id, 1, now(), 5 from callbacks`,
  `insert into bulk_operations (id, kind, filter, position, until_id, created_by)
   select gen_random_uuid(), 'REPLAY', '{}', gen_random_uuid(), gen_random_uuid(), id from users`,
  `insert into execution_steps (execution_id, path, attempt, status, output, started_at)
   select id, path, 1, 'SUCCEEDED', '{"n":1}', now() from executions, unnest(array['a', 'b']) path`,
  `insert into execution_steps (execution_id, path, attempt, status, state, started_at)
   select id, 'ask', 1, 'WAITING', '{"kind":"approval","wakeAtMs":4102444800000}', now() from executions`,
  `insert into alerts (id, webhook_id, kind, status, observed, expected, calls, opened_at, last_seen_at, changed_at)
   select gen_random_uuid(), id, 'SILENCE', 'OPEN', 0, 1, 1, now(), now(), now() from webhooks`,
  `insert into model_usage (webhook_id, day, model_id, steps, prompt_tokens, completion_tokens, cached_tokens, cost_nanos)
   select w.id, current_date, m.id, 1, 1, 1, 0, 1 from (select id, row_number() over () n from webhooks) w
   join (select id, row_number() over () n from models) m using (n)`,
];

async function statementsFor(document: string, name: string, length: number): Promise<number> {
  statements = [];
  const { data, errors } = await fixture.run(document);
  expect(errors).toEqual([]);
  expect(data[name].nodes).toHaveLength(length);
  return statements.length;
}

describe.each(roots.map((list) => [list.path, list] as const))(
  '%s, with all that lies below it',
  (_, { name, node }) => {
    it.each(more[name] ?? [''])('takes no more statements for many than for one%s', async (args) => {
      const selection = selectionOf(schema, node, 2, (path) => asked.add(path));
      const documentFor = (first: number): string =>
        `{ ${name}(first: ${first}${args}) { totalCount nodes ${selection} } }`;
      const one = await statementsFor(documentFor(1), name, 1);
      // Fields that read the same kind of thing share a statement only when they happen to ask at the same moment, so the
      // number differs by a few; what is read one by one adds one for each.
      expect(await statementsFor(documentFor(MANY), name, MANY)).toBeLessThan(one + MANY / 2);
    });
  },
);

it('has asked for every list that the schema has', () => {
  const below = lists.map(({ path }) => path).filter((path) => !path.startsWith('Query.'));
  expect(below.filter((path) => !asked.has(path))).toEqual([]);
});
