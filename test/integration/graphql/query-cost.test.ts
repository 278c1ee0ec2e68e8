import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addToken, type GraphqlProcess, openGraphqlProcess } from '../../support/graphql-process.js';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.js';

const ASK = `query ($query: String!, $variables: JSON, $operationName: String) {
  queryCost(query: $query, variables: $variables, operationName: $operationName) {
    allowed requested maximum measures { limit used maximum } refusals } }`;

let testDatabase: TestDatabase;
let gateway: GraphqlProcess;
let token: string;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  gateway = await openGraphqlProcess({ databaseUrl: testDatabase.url });
  // Nothing but to be known: what a query costs tells nothing that it reads.
  token = (await addToken(gateway.database.pool, 'viewer', ['workers:read'])).token;
});

afterAll(async () => {
  await gateway.close();
  await testDatabase.drop();
});

interface Cost {
  readonly allowed: boolean;
  readonly requested: number | null;
  readonly measures: readonly { readonly limit: string; readonly used: number; readonly maximum: number }[];
  readonly refusals: readonly string[];
}

async function ask(query: string, more: object = {}): Promise<Cost> {
  const { data, errors } = await gateway.post(ASK, { token, variables: { query, ...more } });
  expect(errors).toBeUndefined();
  return data!['queryCost'] as Cost;
}

describe('queryCost', () => {
  it('says what the operation itself is told, without running it', async () => {
    const query = 'query ($n: Int) { workers(first: $n) { nodes { id name } } }';
    const { extensions } = await gateway.post(query, { token, variables: { n: 10 } });
    const cost = await ask(query, { variables: { n: 10 } });
    expect({ requested: cost.requested, maximum: 10_000 }).toEqual(extensions!['cost']);
    expect(cost).toEqual({
      allowed: true,
      requested: 31,
      maximum: 10_000,
      measures: [
        { limit: 'TOKENS', used: 23, maximum: 2_000 },
        { limit: 'LEVELS', used: 3, maximum: 12 },
        { limit: 'ALIASES', used: 0, maximum: 30 },
        { limit: 'DIRECTIVES', used: 0, maximum: 30 },
        { limit: 'ROOT_FIELDS', used: 1, maximum: 20 },
      ],
      refusals: [],
    });
  });

  it('counts what costs too much, and says so', async () => {
    const query = '{ webhooks(first: 100) { nodes { calls(first: 100) { nodes { id } } } } }';
    expect(await ask(query)).toMatchObject({
      allowed: false,
      requested: 20_201,
      refusals: ['The operation costs 20201; 10000 is allowed. Ask for less at a time.'],
    });
  });

  it('says what else there is too much of', async () => {
    const aliases = `{ ${Array.from({ length: 31 }, (_, i) => `a${i}: version`).join(' ')} }`;
    const refused = await ask(aliases);
    expect(refused).toMatchObject({ allowed: false, requested: null });
    expect(refused.measures).toContainEqual({ limit: 'ALIASES', used: 31, maximum: 30 });
    expect(refused.refusals).toHaveLength(2); // of fields at its root there are too many, too

    const long = await ask(`{ ${'version '.repeat(2_001)} }`);
    expect(long).toMatchObject({ allowed: false, requested: null, measures: [] });
    expect(long.refusals).toHaveLength(1);
  });

  it('weighs mutations and subscriptions, and the one that is named', async () => {
    const query = `query A { version } mutation B { deleteWebhook(input: { id: "wh_1" }) { userErrors { code } } }
      subscription C { callReceived { id } }`;
    expect((await ask(query, { operationName: 'A' })).requested).toBe(1);
    expect((await ask(query, { operationName: 'B' })).requested).toBe(7);
    expect((await ask(query, { operationName: 'C' })).requested).toBe(2);
  });

  it.each([
    ['no GraphQL', { query: '{ version' }, /Syntax Error/],
    ['no operation of the schema', { query: '{ versions }' }, /^Cannot query field "versions" on type "Query"\.$/],
    ['several without a name', { query: 'query A { version } query B { version }' }, /several/],
    ['the schema where that is closed', { query: '{ __schema { types { name } } }' }, /introspection/],
    ['variables that are none', { query: '{ version }', variables: [1] }, /an object/],
    [
      'variables that do not fit',
      { query: 'query ($n: Int) { workers(first: $n) { totalCount } }', variables: { n: 'many' } },
      /Int/,
    ],
  ])('refuses %s', async (_, variables, message) => {
    const { errors } = await gateway.post(ASK, { token, variables });
    expect(errors).toMatchObject([{ message: expect.stringMatching(message), extensions: { code: 'BAD_USER_INPUT' } }]);
  });
});
