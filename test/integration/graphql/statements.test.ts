import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addWorkerVersions, type GraphqlFixture, openGraphqlFixture } from '../../support/graphql-fixture.js';
import { notingPool } from '../../support/noting-pool.js';

let fixture: GraphqlFixture;
let statements: string[] = [];

const WORKERS = Array.from({ length: 20 }, (_, i) => `worker-${i}`);

beforeAll(async () => {
  fixture = await openGraphqlFixture((services) => ({
    ...services,
    database: { ...services.database, pool: notingPool(services.database.pool, (text) => statements.push(text)) },
  }));
  await fixture.addWorkers(...WORKERS);
  await addWorkerVersions(fixture);
  for (let i = 0; i < 20; i += 1) {
    const workerIds = [`worker-${i}`, `worker-${(i + 1) % 20}`];
    const webhookId = await fixture.addWebhook(`webhook ${i}`, workerIds, { flow: { concurrency: 1 } });
    for (let c = 0; c < 3; c += 1) await fixture.addCall({ webhookId, workerIds });
  }
  await fixture.services.database.pool.query(
    `insert into execution_steps (execution_id, path, attempt, status, output, started_at)
     select id, path, 1, 'SUCCEEDED', '{"n":1}', now() from executions, unnest(array['a', 'b']) path`,
  );
  await fixture.database.pool.query(
    `insert into execution_steps (execution_id, path, attempt, status, state, started_at)
     select id, 'ask', 1, 'WAITING', '{"kind":"approval","wakeAtMs":4102444800000}', now() from executions`,
  );
  await fixture.database.pool.query(
    `insert into alerts (id, webhook_id, kind, status, observed, expected, calls, opened_at, last_seen_at, changed_at)
     select gen_random_uuid(), id, 'SILENCE', 'OPEN', 0, 1, 1, now(), now(), now() from webhooks`,
  );
});

afterAll(() => fixture.close());

async function statementsFor(document: string, first: number): Promise<number> {
  statements = [];
  const { data, errors } = await fixture.run(document, { first });
  expect(errors).toEqual([]);
  const [list] = Object.values(data as Record<string, { nodes: unknown[] }>);
  expect(list!.nodes).toHaveLength(first);
  return statements.length;
}

describe.each([
  [
    'webhooks',
    `query ($first: Int!) { webhooks(first: $first) { nodes {
      id url secrets { hint } paused flow { concurrency waiting running } callCount lastCalledAt createdBy { name }
      workers { id webhooks { id } executions(first: 2) { nodes { id } totalCount } }
      statistics { total buckets { total } }
      calls(first: 2) { totalCount nodes { id queuePosition requestBody requestHeaders webhook { name }
        executions { id worker { name } call { id } events { nodes { seq execution { id } } } inputParams } } }
    } totalCount } }`,
  ],
  [
    'calls',
    `query ($first: Int!) { calls(first: $first) { nodes { id queuePosition requestBody webhook { name workers { id } callCount }
      executions { id worker { id } events { totalCount } } } } }`,
  ],
  [
    'executions',
    `query ($first: Int!) { executions(first: $first) { nodes { id call { id webhook { id createdBy { id } } }
      worker { id webhooks { id calls(last: 1) { nodes { id } } } } inputParams partialText
      steps { nodes { path output outputText } totalCount } events { nodes { seq } } } } }`,
  ],
  [
    'workers',
    `query ($first: Int!) { workers(first: $first) { nodes { id webhooks { id statistics { p95Ms } } executions { nodes { id } } } } }`,
  ],
  [
    'approvals',
    `query ($first: Int!) { approvals(first: $first) { nodes { path message execution { id worker { name }
      call { id webhook { name } executions { id } } steps { nodes { path approval { approved decidedBy { id } } } } } } totalCount } }`,
  ],
  [
    'alerts',
    `query ($first: Int!) { alerts(first: $first) { nodes { id webhook { name createdBy { id } workers { id } } acknowledgedBy { id } } totalCount } }`,
  ],
])('a list of %s with everything below it', (_, document) => {
  it('takes no more statements for 20 than for 1', async () => {
    const one = await statementsFor(document, 1);
    expect(one).toBeGreaterThan(2);
    // Fields that read the same kind of thing share a statement only when they happen to ask at the same moment, so the
    // number differs by a few; what is read one by one adds one for each.
    expect(await statementsFor(document, 20)).toBeLessThan(one + 10);
  });
});

describe('totalCount', () => {
  it('is counted only when somebody asks', async () => {
    const without = await statementsFor('query ($first: Int!) { calls(first: $first) { nodes { id } } }', 5);
    expect(without).toBe(1);
    expect(await statementsFor('query ($first: Int!) { calls(first: $first) { nodes { id } totalCount } }', 5)).toBe(2);
  });
});
