import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { getMainDefinition, relayStylePagination } from '@apollo/client/utilities';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Kind, OperationTypeNode } from 'graphql';
import { type Client, createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { committedSchema, possibleTypesOf } from '../support/cache-types.js';
import { ADMIN_TOKEN, databaseEnv, type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import {
  CreateWebhookDocument,
  type CreateWebhookMutation,
  DeleteWebhookDocument,
  ListWebhooksDocument,
  type ListWebhooksQuery,
  PauseWebhookDocument,
  ReadCallDocument,
  TestWebhookDocument,
  UpdateWebhookDocument,
  WatchCallsDocument,
  WatchExecutionDocument,
  WatchStatisticsDocument,
} from '../support/generated/operations.js';
import { pollUntil } from '../support/poll-until.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

let database: TestDatabase;
let gateway: GatewayProcess;
let socket: Client;
let client: ApolloClient;

beforeAll(async () => {
  database = await createTestDatabase();
  gateway = await startGatewayProcess({ env: databaseEnv(database.url) });
  const authorization = `Bearer ${ADMIN_TOKEN}`;
  const uri = `${gateway.url}/graphql`;
  socket = createClient({
    url: uri.replace('http', 'ws'),
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
  });
  client = new ApolloClient({
    cache: new InMemoryCache({
      possibleTypes: possibleTypesOf(await committedSchema()),
      typePolicies: { Query: { fields: { webhooks: relayStylePagination(['text', 'orderBy']) } } },
    }),
    link: ApolloLink.split(
      ({ query }) => {
        const definition = getMainDefinition(query);
        return definition.kind === Kind.OPERATION_DEFINITION && definition.operation === OperationTypeNode.SUBSCRIPTION;
      },
      new GraphQLWsLink(socket),
      new HttpLink({ uri, headers: { authorization } }),
    ),
  });
});

afterAll(async () => {
  client.stop();
  await socket.dispose();
  await gateway.end('SIGTERM');
  await database.drop();
});

async function create(name: string): Promise<CreateWebhookMutation['createWebhook']> {
  const { data } = await client.mutate({
    mutation: CreateWebhookDocument,
    variables: {
      input: { name, workerIds: ['worker-echo'], authentication: { method: 'SECRET_HEADER' } },
    },
  });
  return data!.createWebhook;
}

const idsOf = ({ edges }: ListWebhooksQuery['webhooks']): string[] => edges.map(({ node }) => node.id);

describe('Apollo Client', () => {
  it('lists what it created, pages put together', async () => {
    const ids: string[] = [];
    for (const name of ['paged 1', 'paged 2', 'paged 3']) ids.unshift((await create(name)).webhook!.id);
    const list = client.watchQuery({ query: ListWebhooksDocument, variables: { first: 2, text: 'paged' } });
    const { data } = await list.refetch();
    expect(idsOf(data!.webhooks)).toEqual(ids.slice(0, 2));
    expect(data!.webhooks.totalCount).toBe(3);
    await list.fetchMore({ variables: { after: data!.webhooks.pageInfo.endCursor ?? null } });
    const { webhooks } = client.readQuery({ query: ListWebhooksDocument, variables: { first: 2, text: 'paged' } })!;
    expect(idsOf(webhooks)).toEqual(ids);
    expect(webhooks.pageInfo.hasNextPage).toBe(false);
  });

  it('sees a mutation in its normalised cache, without asking again', async () => {
    const { id, version } = (await create('before')).webhook!;
    const variables = { first: 25 };
    await client.query({ query: ListWebhooksDocument, variables, fetchPolicy: 'network-only' });
    await client.mutate({
      mutation: UpdateWebhookDocument,
      variables: { input: { id, expectedVersion: version, name: 'after' } },
    });
    const cached = client.readQuery({ query: ListWebhooksDocument, variables });
    expect(cached!.webhooks.edges.find(({ node }) => node.id === id)?.node).toMatchObject({
      name: 'after',
      version: 2,
    });
  });

  it('sees what a subscription told in its normalised cache', async () => {
    const { id } = (await create('kept')).webhook!;
    await client.mutate({ mutation: PauseWebhookDocument, variables: { input: { id } } });
    const tested = await client.mutate({
      mutation: TestWebhookDocument,
      variables: { input: { id, payload: { order: 1 } } },
    });
    const call = tested.data!.testWebhook.call!;
    const executionId = call.executions[0]!.id;
    const query = { query: ReadCallDocument, variables: { id: call.id } };
    await client.query(query);
    const cachedStatus = (): string | undefined => client.readQuery(query)!.call?.executions[0]?.status;
    expect(cachedStatus()).toBe('WAITING');

    const told = Promise.withResolvers<void>();
    const subscription = client.subscribe({ query: WatchExecutionDocument, variables: { executionId } }).subscribe({
      next: ({ data }) => {
        const event = data?.executionEvents;
        if (event !== undefined && 'status' in event && event.status === 'CANCELED') told.resolve();
      },
      error: (error: unknown) => told.reject(error),
    });
    // Somebody else, so that no answer of a mutation reaches this cache.
    await gateway.graphql('mutation ($id: ID!) { cancelExecution(input: { id: $id }) { userErrors { message } } }', {
      id: executionId,
    });
    await told.promise;
    expect(cachedStatus()).toBe('CANCELED');
    subscription.unsubscribe();
  });

  it('gets what the user can mend as userErrors, and a fault as an error', async () => {
    const refused = await create('').catch((error: unknown) => error);
    expect(refused).toMatchObject({ webhook: null, userErrors: [{ field: ['name'] }] });
    const missing = client.mutate({
      mutation: DeleteWebhookDocument,
      variables: { input: { id: 'wh_00000000000000000000000000' } },
    });
    await expect(missing).rejects.toMatchObject({ errors: [{ extensions: { code: 'NOT_FOUND' } }] });
  });

  it('watches calls and statistics over graphql-ws', async () => {
    const { webhook, secret } = await create('watched');
    const variables = { webhookId: webhook!.id };
    const totals: number[] = [];
    const calls: string[] = [];
    const failed: unknown[] = [];
    const error = (fault: unknown): void => void failed.push(fault);
    const subscriptions = [
      client.subscribe({ query: WatchStatisticsDocument, variables }).subscribe({
        next: ({ data }) => totals.push(Number(data!.statisticsUpdated.total)),
        error,
      }),
      client.subscribe({ query: WatchCallsDocument, variables }).subscribe({
        next: ({ data }) => calls.push(data!.callReceived.id),
        error,
      }),
    ];
    await pollUntil('the present state', () => Promise.resolve(totals.length > 0 ? true : undefined));
    expect(totals[0]).toBe(0);
    let sent = 0;
    await pollUntil('a call and its count', async () => {
      if (calls.length > 0 && totals.at(-1)! > 0) return true;
      if (calls.length > 0) return undefined;
      const response = await fetch(webhook!.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-webhook-secret': secret! },
        body: '{}',
      });
      expect(response.status).toBe(202);
      sent += 1;
      return undefined;
    });
    await pollUntil('the count of all calls', () => Promise.resolve(totals.at(-1) === sent ? true : undefined));
    expect(failed).toEqual([]);
    for (const subscription of subscriptions) subscription.unsubscribe();
  });
});
