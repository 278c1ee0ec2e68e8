import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { serverAudits } from 'graphql-http';
import { addToken, type GraphqlProcess, openGraphqlProcess } from '../support/graphql-process.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

let testDatabase: TestDatabase;
let gateway: GraphqlProcess;
let token: string;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  gateway = await openGraphqlProcess({ databaseUrl: testDatabase.url, introspection: true }); // some audits ask for it
  ({ token } = await addToken(gateway.database.pool, 'owner'));
});

afterAll(async () => {
  await gateway.close();
  await testDatabase.drop();
});

const audits = serverAudits({
  url: () => gateway.url,
  fetchFn: (url: string, init: RequestInit = {}) =>
    fetch(url, { ...init, headers: { ...(init.headers as Record<string, string>), Authorization: `Bearer ${token}` } }),
});

const CSRF = 'a GET without a header that only a page of ours can send is refused: it could come from another site';
const STATUS =
  'Apollo Server answers 400 where the older media type asks for 200; a client that accepts it sees the errors';

/** What the server does otherwise than is asked of it, none of it a MUST, with the reason. */
const DEVIATIONS: Readonly<Record<string, readonly [status: 'notice' | 'warn', reason: string]>> = {
  '5A70': ['notice', CSRF],
  D6D5: ['notice', CSRF],
  '6A70': ['notice', CSRF],
  '572B': ['warn', STATUS],
  FDE2: ['warn', STATUS],
  '7B9B': ['warn', STATUS],
};

describe('the audits of GraphQL over HTTP', () => {
  it('are all there', () => {
    const ids = audits.map(({ id }) => id);
    expect(ids.length).toBeGreaterThan(60);
    expect(ids).toEqual(expect.arrayContaining(Object.keys(DEVIATIONS)));
  });

  it.each(audits.map((audit) => [audit.id, audit.name, audit] as const))('%s %s', async (id, _, audit) => {
    const result = await audit.fn();
    const [expected] = DEVIATIONS[id] ?? ['ok'];
    expect({ status: result.status, reason: 'reason' in result ? result.reason : undefined }).toMatchObject({
      status: expected,
    });
  });
});
