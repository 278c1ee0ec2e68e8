import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache, type TypedDocumentNode } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { getMainDefinition } from '@apollo/client/utilities';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Kind, OperationTypeNode } from 'graphql';
import { type Client, createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { ADMIN_TOKEN, databaseEnv, type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
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
    cache: new InMemoryCache({ possibleTypes: { Worker: ['CodeWorker', 'HttpWorker'] } }),
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

const WEBHOOK = gql`
  fragment WebhookParts on Webhook {
    id
    name
    active
    version
    workers {
      id
      name
      kind
    }
  }
`;

interface WebhookParts {
  readonly id: string;
  readonly name: string;
  readonly active: boolean;
  readonly version: number;
  readonly workers: readonly { readonly id: string }[];
}

interface Created {
  readonly createWebhook: { readonly webhook: WebhookParts & { readonly url: string }; readonly secret: string };
}

const LIST: TypedDocumentNode<{ webhooks: { nodes: WebhookParts[]; totalCount: number } }> = gql`
  query List {
    webhooks(first: 10) {
      nodes {
        ...WebhookParts
      }
      totalCount
    }
  }
  ${WEBHOOK}
`;

const CREATE: TypedDocumentNode<Created, { input: object }> = gql`
  mutation Create($input: CreateWebhookInput!) {
    createWebhook(input: $input) {
      webhook {
        ...WebhookParts
        url
      }
      secret
      userErrors {
        field
        message
      }
    }
  }
  ${WEBHOOK}
`;

async function create(name: string): Promise<Created['createWebhook']> {
  const { data } = await client.mutate({
    mutation: CREATE,
    variables: {
      input: { name, workerIds: ['worker-echo'], authentication: { method: 'SECRET_HEADER' } },
    },
  });
  return data!.createWebhook;
}

describe('Apollo Client', () => {
  it('lists what it created', async () => {
    const { webhook } = await create('listed');
    const { data } = await client.query({
      query: LIST,
      fetchPolicy: 'network-only',
    });
    expect(data!.webhooks.nodes.map((node) => node.id)).toContain(webhook.id);
    expect(data!.webhooks.totalCount).toBeGreaterThanOrEqual(1);
  });

  it('sees a mutation in its normalised cache, without asking again', async () => {
    const { webhook } = await create('before');
    await client.query({ query: LIST, fetchPolicy: 'network-only' });
    await client.mutate({
      mutation: gql`
        mutation Rename($input: UpdateWebhookInput!) {
          updateWebhook(input: $input) {
            webhook {
              ...WebhookParts
            }
            userErrors {
              message
            }
          }
        }
        ${WEBHOOK}
      `,
      variables: { input: { id: webhook.id, expectedVersion: webhook.version, name: 'after' } },
    });
    const cached = client.readQuery({ query: LIST });
    expect(cached!.webhooks.nodes.find((node) => node.id === webhook.id)).toMatchObject({ name: 'after' });
  });

  it('gets what the user can mend as userErrors, and a fault as an error', async () => {
    const refused = await create('').catch((error: unknown) => error);
    expect(refused).toMatchObject({ webhook: null, userErrors: [{ field: ['name'] }] });
    const missing = client.mutate({
      mutation: gql`
        mutation Missing {
          deleteWebhook(input: { id: "wh_00000000000000000000000000" }) {
            userErrors {
              message
            }
          }
        }
      `,
    });
    await expect(missing).rejects.toMatchObject({ errors: [{ extensions: { code: 'NOT_FOUND' } }] });
  });

  it('watches calls and statistics over graphql-ws', async () => {
    const { webhook, secret } = await create('watched');
    const totals: number[] = [];
    const calls: string[] = [];
    const failed: unknown[] = [];
    const watch = <Data>(query: TypedDocumentNode<Data>, seen: (data: Data) => void): { unsubscribe(): void } =>
      client.subscribe({ query, variables: { id: webhook.id } }).subscribe({
        next: ({ data }) => seen(data as Data),
        error: (error) => failed.push(error),
      });
    const subscriptions = [
      watch(
        gql`
          subscription Statistics($id: ID!) {
            statisticsUpdated(webhookId: $id) {
              total
            }
          }
        `,
        ({ statisticsUpdated }: { statisticsUpdated: { total: number } }) => totals.push(statisticsUpdated.total),
      ),
      watch(
        gql`
          subscription Calls($id: ID!) {
            callReceived(webhookId: $id) {
              id
              outcome
            }
          }
        `,
        ({ callReceived }: { callReceived: { id: string } }) => calls.push(callReceived.id),
      ),
    ];
    await pollUntil('the present state', () => Promise.resolve(totals.length > 0 ? true : undefined));
    expect(totals[0]).toBe(0);
    let sent = 0;
    await pollUntil('a call and its count', async () => {
      if (calls.length > 0 && totals.at(-1)! > 0) return true;
      if (calls.length > 0) return undefined;
      const response = await fetch(webhook.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-webhook-secret': secret },
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
