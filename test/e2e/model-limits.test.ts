import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { type AgentGateway, startAgentGateway } from '../support/agent-gateway.js';
import { pollUntil } from '../support/poll-until.js';
import {
  answer,
  refuse,
  type Script,
  type ScriptedModelServer,
  startScriptedModelServer,
} from '../support/scripted-model-server.js';

/** The key of the operator's model; it must be nowhere. */
const KEY = 'sk-canary-of-the-environment-77aa';

let server: ScriptedModelServer;
let broken: ScriptedModelServer;
let gateway: AgentGateway;
let agent: string;

beforeAll(async () => {
  server = await startScriptedModelServer();
  broken = await startScriptedModelServer(refuse(400, 'never'));
  gateway = await startAgentGateway({ OPENAI_BASE_URL: server.baseUrl, OPENAI_API_KEY: KEY, OPENAI_MODEL: 'llama' });
  agent = await gateway.addAgent({ attemptsMax: 1 });
}, 60_000);

afterEach(() => server.script(answer('Paris')));

afterAll(async () => {
  expect(gateway.logged() + gateway.printed()).not.toContain(KEY);
  await gateway.close();
  await server.close();
  await broken.close();
});

/** Refuses this many times, then answers. */
function refuseFirst(times: number, retryAfterMs: number): Script {
  let left = times;
  return (request, response) => {
    const refused = left-- > 0;
    const script = refused ? refuse(429, 'slow down', { 'retry-after-ms': String(retryAfterMs) }) : answer('Paris');
    return script(request, response);
  };
}

const seconds = (header: string | null): number => Number(header);

describe('a sync call whose model has no room', () => {
  it('waits within its deadline, and costs no attempt', async () => {
    server.script(refuseFirst(1, 300));
    const post = await gateway.addWebhook([agent], { syncTimeout: 'PT20S' });
    const { status, body } = await post({ question: 1 });
    expect(status).toBe(200);
    expect(body.results[0]?.result?.content).toBe('Paris');
    expect((await gateway.read(body.results[0]!.executionId)).attempt).toBe(1);
  });

  it('is answered 429 with Retry-After when there is none before its deadline', async () => {
    server.script(refuseFirst(1, 30_000));
    const post = await gateway.addWebhook([agent], { syncTimeout: 'PT5S' });
    const sentMs = performance.now();
    const { status, headers, body } = await post({ question: 2 });
    expect(status).toBe(429);
    expect(performance.now() - sentMs).toBeLessThan(5_000);
    expect(seconds(headers.get('retry-after'))).toBeGreaterThan(25);
    expect(seconds(headers.get('retry-after'))).toBeLessThan(34);
    expect(headers.get('content-type')).toContain('application/problem+json');
    expect(body).toMatchObject({
      success: false,
      executionMode: 'sync',
      code: 'MODEL_RATE_LIMITED',
      results: [{ workerId: agent, success: false, code: 'MODEL_RATE_LIMITED' }],
    });
    const { call } = await gateway.graphql<{ call: object }>(
      'query ($id: ID!) { call(id: $id) { httpStatus outcome } }',
      { id: body.callId },
    );
    expect(call).toEqual({ httpStatus: 429, outcome: 'FAILED' });
    await endPause();
  });

  it('may be sent again under its idempotency key, and runs then', async () => {
    server.script(refuseFirst(1, 30_000));
    const post = await gateway.addWebhook([agent], { syncTimeout: 'PT5S' });
    const headers = { 'idempotency-key': '"the-same"' };
    const first = await post({ question: 3 }, headers);
    expect(first.status).toBe(429);
    await endPause();
    const second = await post({ question: 3 }, headers);
    expect(second.status).toBe(200);
    expect(second.headers.get('idempotent-replayed')).toBeNull();
    const third = await post({ question: 3 }, headers);
    expect(third.headers.get('idempotent-replayed')).toBe('true');
    expect(third.body.callId).toBe(second.body.callId);
  });

  it('is answered 500 when another worker failed for another reason', async () => {
    server.script(refuseFirst(1, 30_000));
    const other = await gateway.addAgent({ modelId: await brokenModel(), attemptsMax: 1 });
    const post = await gateway.addWebhook([agent, other], { syncTimeout: 'PT10S' });
    const { status, body } = await post({ question: 4 });
    expect(status).toBe(500);
    expect(body.results.map((result) => (result as { code?: string }).code)).toEqual([
      'MODEL_RATE_LIMITED',
      'MODEL_FAILED',
    ]);
    await endPause();
  });
});

describe('an async call whose model has no room', () => {
  it('waits for it, although it has one attempt and no caller', async () => {
    server.script(refuseFirst(2, 300));
    const post = await gateway.addWebhook([agent], { executionMode: 'ASYNC' });
    const { status, body } = await post({ question: 5 });
    expect(status).toBe(202);
    const seen = await pollUntil('the execution to succeed', async () => {
      const execution = await gateway.read(body.results[0]!.executionId);
      return execution.status === 'SUCCEEDED' ? execution : undefined;
    });
    expect(seen).toMatchObject({ attempt: 1, promptTokens: 10, completionTokens: 2, error: null });
  });

  it('holds no slot meanwhile', async () => {
    server.script(refuseFirst(1, 30_000));
    const post = await gateway.addWebhook([agent], { executionMode: 'ASYNC' });
    const { body } = await post({ question: 6 });
    const { executionId } = body.results[0]!;
    const seen = await pollUntil('the execution to wait', async () => {
      const execution = await gateway.read(executionId);
      return execution.status === 'WAITING' ? execution : undefined;
    });
    expect(seen).toMatchObject({ attempt: 0, error: { message: expect.stringContaining('asks to wait') } });
    await endPause();
  });
});

/** A model whose provider refuses everything. */
async function brokenModel(): Promise<string> {
  const { createModel } = await gateway.graphql<{ createModel: { model: { id: string } } }>(
    'mutation ($input: CreateModelInput!) { createModel(input: $input) { model { id } userErrors { message } } }',
    { input: { name: 'Broken', provider: 'OPENAI_COMPATIBLE', baseUrl: broken.baseUrl, modelName: 'none' } },
  );
  return createModel.model.id;
}

/** What another minute would do. */
async function endPause(): Promise<void> {
  await sql("update models set paused_until = null where managed_by = 'OPENAI'");
  await sql(`select pg_notify('workhook_events', '[["m","${'0'.repeat(8)}-0000-0000-0000-${'0'.repeat(12)}"]]')`);
}

async function sql(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: gateway.database.url });
  await client.connect();
  await client.query(statement);
  await client.end();
}
