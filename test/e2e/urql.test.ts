import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type AnyVariables, Client, fetchExchange, type OperationResult, subscriptionExchange } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';
import { introspectionFromSchema } from 'graphql';
import { type Client as SocketClient, createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { committedSchema, typesWithoutId } from '../support/cache-types.js';
import { ADMIN_TOKEN, databaseEnv, type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import {
  CreateWebhookDocument,
  ListWebhooksDocument,
  type ListWebhooksQuery,
  PauseWebhookDocument,
  ReadCallDocument,
  type ReadCallQuery,
  StatisticsDocument,
  TestWebhookDocument,
  UpdateWebhookDocument,
  WatchExecutionDocument,
} from '../support/generated/operations.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const schema = await committedSchema();

let database: TestDatabase;
let gateway: GatewayProcess;
let socket: SocketClient;
let client: Client;
/** What the cache complained of, such as a type that it has no key for. */
const warnings: string[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  gateway = await startGatewayProcess({ env: databaseEnv(database.url) });
  const authorization = `Bearer ${ADMIN_TOKEN}`;
  const url = `${gateway.url}/graphql`;
  socket = createClient({
    url: url.replace('http', 'ws'),
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
  });
  client = new Client({
    url,
    preferGetMethod: false,
    fetchOptions: { headers: { authorization } },
    exchanges: [
      cacheExchange({
        schema: introspectionFromSchema(schema),
        keys: Object.fromEntries(typesWithoutId(schema).map((name) => [name, () => null])),
        resolvers: { Query: { webhooks: relayPagination() } },
        logger: (severity, message) => {
          if (severity !== 'debug') warnings.push(message); // what is not there yet
        },
      }),
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query = '', variables }) => ({
          subscribe: (sink) => ({
            unsubscribe: socket.subscribe(
              { query, variables: variables as Record<string, unknown> },
              {
                next: ({ errors, data = null }) => sink.next({ data, ...(errors !== undefined && { errors }) }),
                error: (error) => sink.error(error),
                complete: () => sink.complete(),
              },
            ),
          }),
        }),
      }),
    ],
  });
});

afterAll(async () => {
  await socket.dispose();
  await gateway.end('SIGTERM');
  await database.drop();
});

async function create(name: string): Promise<{ readonly id: string; readonly version: number }> {
  const input = { name, workerIds: ['worker-echo'], authentication: { method: 'SECRET_HEADER' as const } };
  const { data, error } = await client.mutation(CreateWebhookDocument, { input });
  expect(error).toBeUndefined();
  return data!.createWebhook.webhook!;
}

/** A query as a view holds it: what it shows now, and what makes it show something else. */
function view<Data, Variables extends AnyVariables>(
  source: ReturnType<typeof client.query<Data, Variables>>,
): { until(wanted: (data: Data) => boolean): Promise<Data>; close(): void } {
  let shown: OperationResult<Data, Variables> | undefined;
  let wake = (): void => undefined;
  const watching = source.subscribe((result) => {
    shown = result;
    wake();
  });
  return {
    until: async (wanted) => {
      for (;;) {
        expect(shown?.error).toBeUndefined();
        if (shown?.data !== undefined && shown.data !== null && wanted(shown.data)) return shown.data;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    close: () => watching.unsubscribe(),
  };
}

const idsOf = ({ edges }: ListWebhooksQuery['webhooks']): string[] => edges.map(({ node }) => node.id);

describe('urql with its normalised cache', () => {
  it('puts the pages of a connection together', async () => {
    const ids = [await create('paged 1'), await create('paged 2'), await create('paged 3')].map(({ id }) => id);
    const page = async (first: number, after?: string): Promise<ListWebhooksQuery['webhooks']> => {
      const { data, error } = await client.query(ListWebhooksDocument, {
        first,
        text: 'paged',
        ...(after !== undefined && { after }),
      });
      expect(error).toBeUndefined();
      return data!.webhooks;
    };
    const one = await page(2);
    expect(idsOf(one)).toEqual([ids[2], ids[1]]);
    expect(one.pageInfo.hasNextPage).toBe(true);
    const both = await page(2, one.pageInfo.endCursor!);
    expect(idsOf(both)).toEqual([ids[2], ids[1], ids[0]]);
    expect(both.pageInfo.hasNextPage).toBe(false);
  });

  it('shows what a mutation changed in a list that is there, without asking again', async () => {
    const { id, version } = await create('before');
    const list = view(client.query(ListWebhooksDocument, { first: 25 }));
    const nameOf = ({ webhooks }: ListWebhooksQuery): string | undefined =>
      webhooks.edges.find(({ node }) => node.id === id)?.node.name;
    await list.until((data) => nameOf(data) === 'before');
    const { data } = await client.mutation(UpdateWebhookDocument, {
      input: { id, expectedVersion: version, name: 'after' },
    });
    expect(data!.updateWebhook.userErrors).toEqual([]);
    await list.until((shown) => nameOf(shown) === 'after');
    list.close();
    const cached = client.readQuery(ListWebhooksDocument, { first: 25 });
    expect(nameOf(cached!.data!)).toBe('after');
  });

  it('shows what a subscription told in a query that is there', async () => {
    const { id } = await create('watched');
    await client.mutation(PauseWebhookDocument, { input: { id } });
    const tested = await client.mutation(TestWebhookDocument, { input: { id, payload: { order: 1 } } });
    const call = tested.data!.testWebhook.call!;
    const executionId = call.executions[0]!.id;
    const shown = view(client.query(ReadCallDocument, { id: call.id }));
    const statusOf = ({ call: seen }: ReadCallQuery): string | undefined => seen?.executions[0]?.status;
    await shown.until((data) => statusOf(data) === 'WAITING');

    const told = Promise.withResolvers<void>();
    const watching = client.subscription(WatchExecutionDocument, { executionId }).subscribe(({ data, error }) => {
      if (error !== undefined) return told.reject(error);
      const event = data?.executionEvents;
      if (event !== undefined && 'status' in event && event.status === 'CANCELED') told.resolve();
    });
    // Somebody else, so that no answer of a mutation reaches this cache.
    await gateway.graphql('mutation ($id: ID!) { cancelExecution(input: { id: $id }) { userErrors { message } } }', {
      id: executionId,
    });
    await told.promise;
    await shown.until((data) => statusOf(data) === 'CANCELED');
    shown.close();
    watching.unsubscribe();
  });

  it('knows every type by its key, or that it has none', async () => {
    const { data } = await client.query(StatisticsDocument, { interval: 'HOUR' });
    expect(data!.statistics.buckets.length).toBeGreaterThan(1);
    expect(warnings).toEqual([]);
    expect(typesWithoutId(schema)).toContain('ExecutionStatusChanged');
    expect(typesWithoutId(schema)).not.toContain('Webhook');
  });
});
