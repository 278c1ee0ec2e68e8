import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type AgentGateway, startAgentGateway } from '../support/agent-gateway.js';
import { createWebhook, type CreatedWebhook } from '../support/gateway-process.js';
import { postCall } from '../support/post-call.js';
import { answer, type ScriptedModelServer, startScriptedModelServer } from '../support/scripted-model-server.js';

const USAGE = { prompt_tokens: 900, completion_tokens: 100, prompt_tokens_details: { cached_tokens: 400 } };

let server: ScriptedModelServer;
let gateway: AgentGateway;
let agent: string;

beforeAll(async () => {
  server = await startScriptedModelServer(answer('Paris', USAGE));
  gateway = await startAgentGateway({ OPENAI_BASE_URL: server.baseUrl, OPENAI_MODEL: 'llama' });
  agent = await gateway.addAgent({});
  const { models } = await gateway.graphql<{ models: { nodes: { id: string }[] } }>('{ models { nodes { id } } }');
  await gateway.graphql(
    'mutation ($input: UpdateModelInput!) { updateModel(input: $input) { userErrors { message } } }',
    { input: { id: models.nodes[0]!.id, promptPrice: '2.5', completionPrice: '10', cachedPrice: '0.25' } },
  );
}, 60_000);

afterAll(async () => {
  await gateway.close();
  await server.close();
});

/** 500 × 2,500 + 400 × 250 + 100 × 10,000 nano-dollars. */
const COST = '0.00235';

const addWebhook = (): Promise<CreatedWebhook> =>
  createWebhook(gateway, { workerIds: [agent], executionMode: 'SYNC', authentication: { method: 'SECRET_HEADER' } });

interface Body {
  readonly callId: string;
  readonly results: readonly { readonly executionId: string; readonly code?: string; readonly error?: string }[];
}

const setCap = async (cap: Record<string, unknown>): Promise<void> => {
  const { setSpendCap } = await gateway.graphql<{ setSpendCap: { userErrors: unknown[] } }>(
    'mutation ($input: SetSpendCapInput!) { setSpendCap(input: $input) { spendCap { runsPerDay } userErrors { message } } }',
    { input: cap },
  );
  expect(setSpendCap.userErrors).toEqual([]);
};

it('shows what was paid at the execution, the call, the webhook and the day', async () => {
  const webhook = await addWebhook();
  const { status, body } = await postCall<Body>(webhook, '{"n":1}');
  expect(status).toBe(200);
  const {
    execution,
    call,
    webhook: seen,
    usage,
  } = await gateway.graphql<Record<string, unknown>>(
    `query ($execution: ID!, $call: ID!, $webhook: ID!) {
      execution(id: $execution) { promptTokens completionTokens cachedTokens cost }
      call(id: $call) { promptTokens completionTokens cost }
      webhook(id: $webhook) {
        spendCap { tokensPerDay costPerDay runsPerDay tokensToday costToday }
        statistics(interval: DAY) { promptTokens completionTokens cost buckets { cost } }
      }
      usage(webhookId: $webhook) { nodes { modelName steps promptTokens completionTokens cachedTokens cost } }
    }`,
    { execution: body.results[0]!.executionId, call: body.callId, webhook: webhook.id },
  );
  const tokens = { promptTokens: 900, completionTokens: 100 };
  expect(execution).toEqual({ ...tokens, cachedTokens: 400, cost: COST });
  expect(call).toEqual({ ...tokens, cost: COST });
  expect(usage).toEqual({ nodes: [{ modelName: 'OpenAI', steps: 1, ...tokens, cachedTokens: 400, cost: COST }] });
  expect(seen).toMatchObject({
    spendCap: { tokensPerDay: null, costPerDay: null, runsPerDay: null, tokensToday: 1_000, costToday: COST },
    statistics: { ...tokens, cost: COST },
  });
});

it.each([
  ['tokens', { tokensPerDay: 1_500 }, 2],
  ['cost', { costPerDay: '0.002' }, 1],
  ['runs', { runsPerDay: 3 }, 3],
])('stops at a cap of %s and does not try again', async (_, cap, made) => {
  const webhook = await addWebhook();
  await setCap({ webhookId: webhook.id, ...cap });
  const before = server.requests.length;
  for (let n = 0; n < made; n += 1) expect((await postCall<Body>(webhook, '{"n":2}')).status).toBe(200);
  const { status, body } = await postCall<Body>(webhook, '{"n":3}');
  expect(status).toBe(500);
  expect(body.results).toMatchObject([{ code: 'SPEND_CAP_REACHED', error: expect.stringContaining('spend cap') }]);
  expect((await gateway.read(body.results[0]!.executionId)).attempt).toBe(1);
  expect(server.requests.length - before).toBe(made);
});
