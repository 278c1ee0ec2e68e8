import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type AgentGateway, type ExecutionSeen, startAgentGateway } from '../support/agent-gateway.js';
import { ADMIN_TOKEN } from '../support/gateway-process.js';
import { pollUntil } from '../support/poll-until.js';
import {
  answer,
  beginStream,
  chunk,
  type ReceivedRequest,
  type Script,
  type ScriptedModelServer,
  startScriptedModelServer,
} from '../support/scripted-model-server.js';
import { parseEvents } from '../support/sse.js';
import type { TestDatabase } from '../support/test-database.js';

let provider: ScriptedModelServer;
let endpoint: Server;
let endpointUrl: string;
let hits: number;
let gateways: AgentGateway[] = [];

beforeAll(async () => {
  provider = await startScriptedModelServer();
  endpoint = createServer((request, response) => {
    hits += 1;
    request.resume();
    request.on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{"stock":3}'));
  });
  await new Promise<void>((done) => endpoint.listen(0, '127.0.0.1', done));
  endpointUrl = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/stock`;
});

afterEach(async () => {
  for (const gateway of gateways) await gateway.end('SIGTERM');
  for (const database of new Set(gateways.map((gateway) => gateway.database))) await database.drop();
  gateways = [];
});

afterAll(async () => {
  endpoint.closeAllConnections();
  await new Promise((done) => endpoint.close(done));
  await provider.close();
});

async function start(database?: TestDatabase): Promise<AgentGateway> {
  hits = 0;
  const gateway = await startAgentGateway({ OPENAI_BASE_URL: provider.baseUrl, OPENAI_MODEL: 'test' }, database);
  gateways.push(gateway);
  return gateway;
}

async function addEndpoint(gateway: AgentGateway): Promise<string> {
  const { createHttpWorker } = await gateway.graphql<{ createHttpWorker: { worker: { id: string } } }>(
    'mutation ($input: CreateHttpWorkerInput!) { createHttpWorker(input: $input) { worker { id } } }',
    { input: { name: 'Stock', url: endpointUrl } },
  );
  return createHttpWorker.worker.id;
}

/** Which agent asks, by its instructions. */
const instructionsOf = ({ body }: ReceivedRequest): string => body.messages[0].content;
/** Which of its steps it is at, from 1. */
const stepOf = ({ body }: ReceivedRequest): number =>
  1 + body.messages.filter(({ role }: { role: string }) => role === 'tool').length;

/** A model that looks into the stock first, with a word of its own, and answers then. */
function looksThenAnswers(secondStep: Script = answer('Three are left.')): Script {
  return (request, response) => {
    if (stepOf(request) > 1) return secondStep(request, response);
    beginStream(response);
    const call = { index: 0, id: 'call_1', type: 'function', function: { name: 'stock', arguments: '{}' } };
    response.write(chunk({ role: 'assistant', content: 'Let me look.' }));
    response.write(chunk({ tool_calls: [call] }));
    const usage = { prompt_tokens: 10, completion_tokens: 2, total_tokens: 12 };
    response.write(chunk({}, { choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] }));
    response.end(`${chunk({}, { choices: [], usage })}data: [DONE]\n\n`);
    return undefined;
  };
}

const CONTENT = 'Let me look.\n\nThree are left.';

async function endOf(gateway: AgentGateway, executionId: string): Promise<ExecutionSeen> {
  return await pollUntil(
    `the end of ${executionId}`,
    async () => {
      const execution = await gateway.read(executionId);
      return ['SUCCEEDED', 'FAILED', 'SKIPPED', 'TIMED_OUT'].includes(execution.status) ? execution : undefined;
    },
    60_000,
  );
}

describe('an agent whose process is killed between two model steps', () => {
  it('goes on at the second one: nothing that is finished is asked or done again', async () => {
    const first = await start();
    const stock = await addEndpoint(first);
    const agent = await first.addAgent({ tools: [{ name: 'stock', worker: { workerId: stock } }] });
    const post = await first.addWebhook([agent], { executionMode: 'ASYNC' });
    const atSecond = Promise.withResolvers<void>();
    const asked: number[] = [];
    provider.script((request, response) => {
      asked.push(stepOf(request));
      return looksThenAnswers((_, second) => {
        // Half an answer, and then the process is gone.
        beginStream(second);
        second.write(chunk({ role: 'assistant', content: 'Thr' }), () => atSecond.resolve());
      })(request, response);
    });
    const { executionId } = (await post({ userMessage: 'How many are left?' })).body.results[0]!;
    await atSecond.promise;
    await first.end('SIGKILL');
    expect(asked).toEqual([1, 2]);
    expect(hits).toBe(1);

    provider.script((request, response) => {
      asked.push(stepOf(request));
      return looksThenAnswers()(request, response);
    });
    const second = await start(first.database);
    const execution = await endOf(second, executionId);
    expect(execution).toMatchObject({ status: 'SUCCEEDED', attempt: 2, result: { content: CONTENT } });
    expect(asked).toEqual([1, 2, 2]);
    expect(hits).toBe(0);
    expect(execution.steps.map(({ path, attempt }) => [path, attempt])).toEqual([
      ['step-1', 1],
      ['step-1/tools/1-stock', 1],
      ['step-1/tools/1-stock/worker', 1],
      ['step-2', 2],
    ]);
    const events = await fetch(`${second.url}/api/v1/executions/${executionId}`, {
      headers: { accept: 'text/event-stream', authorization: `Bearer ${ADMIN_TOKEN}` },
    });
    const text = parseEvents(await events.text())
      .filter(({ event }) => event === 'delta')
      .map(({ data }) => JSON.parse(data) as { offset: number; delta: string })
      .reduce((written, { offset, delta }) => written.slice(0, offset) + delta, '');
    expect(text).toBe(CONTENT);
  });
});

describe('a webhook with two agents and an HTTP worker', () => {
  async function webhookOf(
    gateway: AgentGateway,
    dispatch: 'PARALLEL' | 'SEQUENTIAL',
    executionMode: 'SYNC' | 'ASYNC',
  ): Promise<Awaited<ReturnType<AgentGateway['addWebhook']>>> {
    const stock = await addEndpoint(gateway);
    const tools = [{ name: 'stock', worker: { workerId: stock } }];
    const agents = [
      await gateway.addAgent({ instructions: 'looks', tools }),
      await gateway.addAgent({ instructions: 'counts' }),
    ];
    return await gateway.addWebhook([agents[0]!, stock, agents[1]!], { dispatch, executionMode });
  }

  it.each([
    ['PARALLEL', 'SYNC'],
    ['SEQUENTIAL', 'SYNC'],
    ['PARALLEL', 'ASYNC'],
    ['SEQUENTIAL', 'ASYNC'],
  ] as const)('runs them, %s and %s', async (dispatch, executionMode) => {
    const gateway = await start();
    const asked: string[] = [];
    provider.script((request, response) => {
      asked.push(instructionsOf(request));
      return (instructionsOf(request) === 'looks' ? looksThenAnswers() : answer('One, two, three.'))(request, response);
    });
    const post = await webhookOf(gateway, dispatch, executionMode);
    const { status, body } = await post({ userMessage: 'How many are left?' });
    expect(status).toBe(executionMode === 'SYNC' ? 200 : 202);
    const executions = [];
    for (const { executionId } of body.results) executions.push(await endOf(gateway, executionId));
    expect(executions).toMatchObject([
      { status: 'SUCCEEDED', result: { role: 'assistant', content: CONTENT }, promptTokens: 20, completionTokens: 4 },
      { status: 'SUCCEEDED', result: { status: 200, body: { stock: 3 } }, promptTokens: null },
      { status: 'SUCCEEDED', result: { content: 'One, two, three.' }, promptTokens: 10, completionTokens: 2 },
    ]);
    if (executionMode === 'SYNC') {
      expect(body.results.map(({ result, promptTokens }) => [result, promptTokens])).toEqual(
        executions.map(({ result, promptTokens }) => [result, promptTokens ?? undefined]),
      );
    }
    expect(hits).toBe(2);
    if (dispatch === 'SEQUENTIAL') expect(asked).toEqual(['looks', 'looks', 'counts']);
    else expect(asked.toSorted()).toEqual(['counts', 'looks', 'looks']);
  });

  it.each(['PARALLEL', 'SEQUENTIAL'] as const)('survives a kill in the middle of an agent, %s', async (dispatch) => {
    const first = await start();
    const atSecond = Promise.withResolvers<void>();
    const asked: string[] = [];
    let dying = true;
    provider.script((request, response) => {
      asked.push(`${instructionsOf(request)} ${stepOf(request)}`);
      if (instructionsOf(request) === 'counts') return answer('One, two, three.')(request, response);
      return looksThenAnswers((again, second) =>
        dying ? atSecond.resolve() : answer('Three are left.')(again, second),
      )(request, response);
    });
    const post = await webhookOf(first, dispatch, 'ASYNC');
    const { results } = (await post({ userMessage: 'How many are left?' })).body;
    await atSecond.promise;
    await first.end('SIGKILL');
    dying = false;
    const second = await start(first.database);
    const ends = [];
    for (const { executionId } of results) ends.push(await endOf(second, executionId));
    expect(ends.map(({ status }) => status)).toEqual(['SUCCEEDED', 'SUCCEEDED', 'SUCCEEDED']);
    expect(ends[0]!.result).toEqual({ role: 'assistant', content: CONTENT });
    expect(asked.filter((step) => step === 'looks 1')).toHaveLength(1);
    expect(asked.filter((step) => step === 'looks 2')).toHaveLength(2);
    expect(asked.filter((step) => step === 'counts 1').length).toBeLessThanOrEqual(2);
    if (dispatch === 'SEQUENTIAL') expect(asked).toEqual(['looks 1', 'looks 2', 'looks 2', 'counts 1']);
  });
});
