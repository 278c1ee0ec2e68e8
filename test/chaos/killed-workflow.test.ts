import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type Endpoint, json, openEndpoint } from '../support/endpoint.js';
import { signal } from '../support/execution-fixture.js';
import { createWebhook, databaseEnv, type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { pollUntil } from '../support/poll-until.js';
import { postCall } from '../support/post-call.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const ITEMS = 24;

/** When so many requests have come, the gateway is killed in the middle of what it does. */
const KILLS_AT = [4, 11, 19, 27];

let database: TestDatabase;
let gateway: GatewayProcess;
let endpoint: Endpoint;

/** By which keys each item was asked for, once a request. */
const asked = new Map<string, string[]>();
let requests = 0;
let reached = signal();

beforeAll(async () => {
  database = await createTestDatabase();
  endpoint = await openEndpoint();
  endpoint.answer = (response, { url, headers }) => {
    const item = url!.slice(1);
    asked.set(item, [...(asked.get(item) ?? []), String(headers['idempotency-key'])]);
    requests += 1;
    if (KILLS_AT.includes(requests)) reached.give(); // and no answer: the step cannot have ended
    else json(200, { item })(response);
  };
  await start();
});

afterAll(async () => {
  await gateway.end('SIGTERM');
  await endpoint.close();
  await database.drop();
});

async function start(): Promise<void> {
  const env = { ...databaseEnv(database.url), OUTBOUND_ALLOWED_CIDRS: '127.0.0.0/8' };
  gateway = await startGatewayProcess({ env });
}

/** Kills the gateway in the very moment in which so many requests have come, and starts it again. */
async function killWhenReached(): Promise<void> {
  await reached.given;
  reached = signal();
  await gateway.end('SIGKILL');
  await start();
}

interface Made {
  readonly createConnection: { readonly connection: { readonly id: string } };
}

it('a workflow whose process is killed again and again ends once, with all items, and repeats only what was cut off', async () => {
  const { createConnection } = await gateway.graphql<Made>(
    `mutation ($url: String!) { createConnection(input: { name: "shop", baseUrl: $url }) { connection { id } } }`,
    { url: endpoint.origin },
  );
  const { createWorkflow } = await gateway.graphql<{ createWorkflow: { worker: { id: string } } }>(
    `mutation ($definition: JSON!) { createWorkflow(input: { name: "killed", definition: $definition, attemptsMax: 20 }) {
       worker { id } userErrors { message } } }`,
    {
      definition: {
        version: 1,
        steps: [
          {
            id: 'each',
            foreach: '{{ input.items }}',
            concurrency: 3,
            do: [
              { id: 'ask', http: { connection: createConnection.connection.id, path: '/{{ item }}' } },
              { id: 'keep', set: { item: '{{ steps.ask.result.body.item }}' } },
            ],
          },
        ],
        output: '{{ steps.each.result }}',
      },
    },
  );
  const webhook = await createWebhook(gateway, {
    workerIds: [createWorkflow.worker.id],
    authentication: { method: 'SECRET_HEADER' },
  });
  const items = Array.from({ length: ITEMS }, (_, i) => `item-${i}`);
  const { body } = await postCall<{ results: [{ executionId: string }] }>(webhook, JSON.stringify({ items }));
  const { executionId } = body.results[0];
  for (const _ of KILLS_AT) await killWhenReached();
  interface Shown {
    readonly execution: { readonly status: string; readonly attempt: number; readonly result: unknown };
  }
  const { execution } = await pollUntil(
    'the end',
    async () => {
      const shown = await gateway.graphql<Shown>('query ($id: ID!) { execution(id: $id) { status attempt result } }', {
        id: executionId,
      });
      return ['QUEUED', 'WAITING', 'RUNNING'].includes(shown.execution.status) ? undefined : shown;
    },
    60_000,
  );
  expect(execution).toEqual({
    status: 'SUCCEEDED',
    attempt: KILLS_AT.length + 1,
    result: items.map((item) => ({ item })),
  });
  expect([...asked.keys()].toSorted()).toEqual(items.toSorted());
  for (const keys of asked.values()) {
    expect(new Set(keys).size).toBe(1); // an endpoint can tell a repetition
    expect(keys.length).toBeLessThanOrEqual(1 + KILLS_AT.length);
  }
  // Three are under way at a time: each kill cuts off one for certain, and can cut off so many.
  expect(requests).toBeGreaterThanOrEqual(ITEMS + KILLS_AT.length);
  expect(requests).toBeLessThanOrEqual(ITEMS + 3 * KILLS_AT.length);
}, 120_000);
