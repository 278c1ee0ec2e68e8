import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ExecutionResult, GraphQLFormattedError } from 'graphql';
import type { Client } from 'graphql-ws';
import { USER_ROLES } from '../../../src/access/access.entities.js';
import { type Permission, PERMISSIONS } from '../../../src/access/permissions.js';
import { rootFieldRules } from '../../../src/graphql/authorization.js';
import { buildGraphqlSchema } from '../../../src/graphql/schema.js';
import { type GeneratedOperation, generatedOperations } from '../../support/generated-operations.js';
import { addToken, type GraphqlProcess, openGraphqlProcess, openSocket } from '../../support/graphql-process.js';
import { readPage } from '../../support/page.js';
import { parseEvents, StreamReader } from '../../support/sse.js';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.js';

const schema = buildGraphqlSchema();
const operations = generatedOperations(schema);
const onceThrough = operations.filter(({ kind }) => kind !== 'subscription');
const subscriptions = operations.filter(({ kind }) => kind === 'subscription');
const rules = new Map(rootFieldRules().map(({ name, permissions }) => [name, permissions as readonly Permission[]]));
const page = await readPage('docs/permissions.md');

let testDatabase: TestDatabase;
let gateway: GraphqlProcess;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  gateway = await openGraphqlProcess({ databaseUrl: testDatabase.url });
});

afterAll(async () => {
  process.stdout.write(page.slice(page.indexOf('\n| operation'))); // for whoever reads the log of a run
  await gateway.close();
  await testDatabase.drop();
});

/** The roles that the committed page lets use an operation. */
function rolesOnPage(operation: string): readonly string[] {
  const row = page.split('\n').find((line) => line.startsWith(`| \`${operation}\` |`));
  if (row === undefined) throw new Error(`docs/permissions.md says nothing of ${operation}`);
  const marks = row.split('|').slice(3, -1);
  return USER_ROLES.filter((_, i) => marks[i]!.trim() === 'yes');
}

/** What became of an operation for somebody: `let in`, whatever came of it then, or the code of the refusal. */
function verdictOf(codes: readonly unknown[]): string {
  for (const code of codes) {
    if (code === 'FORBIDDEN' || code === 'UNAUTHENTICATED') return code;
    if (code === 'GRAPHQL_VALIDATION_FAILED' || code === 'GRAPHQL_PARSE_FAILED' || code === 'COST_LIMIT_EXCEEDED') {
      throw new Error(`The generated document was refused with ${code}.`);
    }
  }
  return 'let in';
}

async function overHttp({ document }: GeneratedOperation, token?: string): Promise<string> {
  const { errors = [] } = await gateway.post(document, token === undefined ? {} : { token });
  return verdictOf(errors.map((error) => error.extensions.code));
}

async function overWebSocket(client: Client, { document }: GeneratedOperation): Promise<string> {
  for await (const result of client.iterate({ query: document })) return verdictOf(codesOf(result.errors));
  throw new Error('There was no result.');
}

/** Over server-sent events; of a subscription only what refuses it is said at once. */
async function overEvents({ document }: GeneratedOperation, token: string): Promise<string> {
  const response = await fetch(gateway.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: document }),
  });
  const [first] = parseEvents(await new StreamReader(response).toEnd());
  return verdictOf(codesOf((JSON.parse(first!.data) as { errors?: GraphQLFormattedError[] }).errors));
}

const codesOf = (errors: readonly GraphQLFormattedError[] = []): unknown[] =>
  errors.map(({ extensions }) => extensions?.['code']);

/** A subscription that is let in may have nothing to say for ever: a query sent after it marks that it was not refused. */
async function subscribing({ document }: GeneratedOperation, token: string): Promise<string> {
  const socket = openSocket(gateway.socketUrl);
  await socket.opened;
  socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
  expect(await socket.next()).toMatchObject({ type: 'connection_ack' });
  socket.send({ type: 'subscribe', id: 'tried', payload: { query: document } });
  let marks = 0;
  socket.send({ type: 'subscribe', id: `mark-${marks}`, payload: { query: '{ viewer { id } }' } });
  try {
    for (;;) {
      const message = await socket.next();
      if (message.id === 'tried') {
        const errors = message.type === 'error' ? message.payload : (message.payload as ExecutionResult).errors;
        return verdictOf(codesOf(errors as readonly GraphQLFormattedError[] | undefined));
      }
      if (message.type !== 'complete') continue;
      if ((marks += 1) === 20) return 'let in'; // twenty round trips through the database later
      socket.send({ type: 'subscribe', id: `mark-${marks}`, payload: { query: '{ viewer { id } }' } });
    }
  } finally {
    socket.socket.terminate();
  }
}

describe('the page of operations and roles', () => {
  it('has a line for each operation that there is, and no other', () => {
    const onPage = [...page.matchAll(/^\| `((?:Query|Mutation|Subscription)\.\w+)`/gm)].map(([, name]) => name!);
    expect(onPage).toEqual(operations.map(({ name }) => name).toSorted());
    expect(onPage.length).toBeGreaterThan(40);
  });

  it.each(USER_ROLES)('is true for the role %s, over HTTP, WebSocket and server-sent events', async (role) => {
    const { token } = await addToken(gateway.database.pool, role);
    const client = gateway.client(token);
    for (const operation of onceThrough) {
      const expected = rolesOnPage(operation.name).includes(role) ? 'let in' : 'FORBIDDEN';
      const tried = { operation: operation.name, http: '', webSocket: '', events: '' };
      tried.http = await overHttp(operation, token);
      tried.webSocket = await overWebSocket(client, operation);
      tried.events = await overEvents(operation, token);
      const all = { http: expected, webSocket: expected, events: expected };
      expect(tried).toEqual({ operation: operation.name, ...all });
    }
    for (const operation of subscriptions) {
      const expected = rolesOnPage(operation.name).includes(role) ? 'let in' : 'FORBIDDEN';
      expect([operation.name, await subscribing(operation, token)]).toEqual([operation.name, expected]);
      if (expected === 'let in') continue; // it would be open for ever
      expect([operation.name, await overEvents(operation, token)]).toEqual([operation.name, expected]);
    }
  });

  it('is empty for nobody', async () => {
    const open: string[] = [];
    for (const operation of onceThrough) {
      if ((await overHttp(operation)) !== 'UNAUTHENTICATED') open.push(operation.name);
    }
    expect(open).toEqual([]);
    const socket = openSocket(gateway.socketUrl);
    await socket.opened;
    socket.send({ type: 'connection_init' });
    expect(await socket.closed).toMatchObject({ code: 4401 });
  });
});

/** What it gives away must be covered too: the role that is asked for here is an owner's. */
const GIVES_A_ROLE = new Set(['Mutation.inviteUser']);

describe('a narrowed token of an owner', () => {
  it('opens what its scopes say and nothing else', async () => {
    const all = Object.keys(PERMISSIONS) as Permission[];
    for (const operation of operations) {
      const needed = rules.get(operation.name)!;
      if (needed.length === 0) continue;
      const just = await addToken(gateway.database.pool, 'owner', GIVES_A_ROLE.has(operation.name) ? all : needed);
      const others = await addToken(
        gateway.database.pool,
        'owner',
        all.filter((permission) => permission !== needed[0]),
      );
      const tryWith = (token: string): Promise<string> =>
        operation.kind === 'subscription' ? subscribing(operation, token) : overHttp(operation, token);
      const tried = [operation.name, await tryWith(just.token), await tryWith(others.token)];
      expect(tried).toEqual([operation.name, 'let in', 'FORBIDDEN']);
    }
  });
});
