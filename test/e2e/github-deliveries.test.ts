import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sign } from '@octokit/webhooks-methods';
import {
  type CreatedWebhook,
  createWebhook,
  databaseEnv,
  type GatewayProcess,
  startGatewayProcess,
} from '../support/gateway-process.js';
import { inTurn } from '../support/in-turn.js';
import { pollUntil } from '../support/poll-until.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

/** The editions of GitHub whose deliveries the package holds. */
const EDITIONS = ['api.github.com', 'ghes-31', 'ghes-32', 'ghes-33', 'ghes-34', 'ghes-35'];
const AT_ONCE = 16;

interface Delivery {
  readonly event: string;
  /** The body as GitHub would send it. */
  readonly body: string;
  readonly signature: string;
}

async function readDeliveries(secret: string): Promise<Delivery[]> {
  const load = createRequire(import.meta.url);
  const bodies = new Map<string, string>();
  for (const edition of EDITIONS) {
    const events = load(`@octokit/webhooks-examples/${edition}/index.json`) as { name: string; examples: unknown[] }[];
    for (const { name, examples } of events) {
      for (const example of examples) bodies.set(JSON.stringify(example), name);
    }
  }
  return await Promise.all(
    [...bodies].map(async ([body, event]) => ({ event, body, signature: await sign(secret, body) })),
  );
}

let database: TestDatabase;
let gateway: GatewayProcess;
let webhook: CreatedWebhook;
let deliveries: Delivery[];

beforeAll(async () => {
  database = await createTestDatabase();
  gateway = await startGatewayProcess({ env: databaseEnv(database.url) });
  webhook = await createWebhook(gateway, {
    authentication: { method: 'HMAC_SIGNATURE', headerName: 'X-Hub-Signature-256' },
  });
  deliveries = await readDeliveries(webhook.secret);
});

afterAll(async () => {
  await gateway.end('SIGTERM');
  await database.drop();
});

const post = (delivery: Delivery): Promise<Response> =>
  fetch(webhook.url, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'X-GitHub-Event': delivery.event,
      'X-Hub-Signature-256': delivery.signature,
    },
    body: delivery.body,
  });

/** The bytes of `inputParams` in a result: it is the last member, so its text ends where the object does. */
const inputParamsIn = (text: string): string => text.slice(text.indexOf('"inputParams":') + 14, -1);

const read = async (path: string): Promise<string> => {
  const response = await fetch(new URL(path, gateway.url));
  expect(response.status).toBe(200);
  return await response.text();
};

describe("GitHub's own deliveries, signed by Octokit", () => {
  it('has all of them', () => {
    expect(deliveries.length).toBeGreaterThan(300);
  });

  it('are accepted async, run, and come back byte for byte', async () => {
    await inTurn(deliveries, AT_ONCE, async (delivery) => {
      const response = await post(delivery);
      expect(response.status).toBe(202);
      const location = response.headers.get('location')!;
      const text = await pollUntil(`the result of ${delivery.event}`, async () => {
        const now = await read(location);
        return now.includes('"status":"SUCCEEDED"') ? now : undefined;
      });
      expect(inputParamsIn(text)).toBe(delivery.body);
      expect(JSON.stringify((JSON.parse(text) as { result: unknown }).result)).toBe(delivery.body);
    });
  }, 120_000);

  it("are answered sync with the worker's result", async () => {
    await gateway.graphql(
      `mutation ($id: ID!) { updateWebhook(input: { id: $id, executionMode: SYNC }) { userErrors { message } } }`,
      { id: webhook.id },
    );
    await inTurn(deliveries, AT_ONCE, async (delivery) => {
      const response = await post(delivery);
      const text = await response.text();
      expect(response.status).toBe(200);
      const answer = JSON.parse(text) as { success: boolean; executionMode: string; results: { result: unknown }[] };
      expect(answer).toMatchObject({ success: true, executionMode: 'sync' });
      expect(text).toContain(`"result":${delivery.body}}`);
    });
  }, 120_000);

  it('are refused with one byte changed', async () => {
    const [delivery] = deliveries;
    const response = await post({ ...delivery!, body: delivery!.body.replace('{', '{ ') });
    expect(response.status).toBe(401);
  });
});
