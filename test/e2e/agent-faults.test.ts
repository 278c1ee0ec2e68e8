import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type AgentGateway, startAgentGateway } from '../support/agent-gateway.js';
import { ADMIN_TOKEN } from '../support/gateway-process.js';
import { pollUntil } from '../support/poll-until.js';
import {
  answer,
  beginStream,
  chunk,
  ending,
  refuse,
  type Script,
  type ScriptedModelServer,
  startScriptedModelServer,
} from '../support/scripted-model-server.js';
import { parseEvents } from '../support/sse.js';

let provider: ScriptedModelServer;
let gateway: AgentGateway;
let requestsBefore: number;

beforeAll(async () => {
  provider = await startScriptedModelServer();
  gateway = await startAgentGateway({ OPENAI_BASE_URL: provider.baseUrl, OPENAI_MODEL: 'test' });
});

beforeEach(() => {
  requestsBefore = provider.requests.length;
});

afterAll(async () => {
  await gateway?.close();
  await provider.close();
});

const requests = (): number => provider.requests.length - requestsBefore;

/** What a provider does one request after the other; the last one again and again. */
function inTurn(...scripts: Script[]): Script {
  let next = 0;
  return (request, response) => scripts[Math.min(next++, scripts.length - 1)]!(request, response);
}

async function start(agent: Record<string, unknown> = {}): Promise<string> {
  const post = await gateway.addWebhook([await gateway.addAgent(agent)], { executionMode: 'ASYNC' });
  return (await post({ userMessage: 'Hello?' })).body.results[0]!.executionId;
}

/** All events of an execution, to its end. */
async function eventsOf(executionId: string): Promise<{ readonly event: string; readonly data: EventData }[]> {
  const response = await fetch(`${gateway.url}/api/v1/executions/${executionId}`, {
    headers: { accept: 'text/event-stream', authorization: `Bearer ${ADMIN_TOKEN}` },
  });
  return parseEvents(await response.text()).map(({ event, data }) => ({ event, data: JSON.parse(data) as EventData }));
}

interface EventData {
  readonly offset: number;
  readonly delta: string;
  readonly status: string;
  readonly path?: string;
}

/** The text as a reader puts it together: each piece at its offset. */
async function textOf(executionId: string): Promise<string> {
  const deltas = (await eventsOf(executionId)).filter(({ event }) => event === 'delta');
  return deltas.reduce((text, { data }) => text.slice(0, data.offset) + data.delta, '');
}

async function ended(executionId: string): ReturnType<AgentGateway['read']> {
  await eventsOf(executionId);
  return await gateway.read(executionId);
}

/** Sends a piece of an answer and closes the connection in the middle. */
const cutAfter =
  (text: string): Script =>
  (_, response) => {
    beginStream(response);
    response.write(chunk({ role: 'assistant', content: text }), () => response.destroy());
  };

describe('a provider', () => {
  it('that is overloaded is asked again within the attempt', async () => {
    provider.script(inTurn(refuse(529, 'overloaded'), refuse(503, 'busy'), answer('Here I am.')));
    const execution = await ended(await start());
    expect(execution).toMatchObject({ status: 'SUCCEEDED', attempt: 1, result: { content: 'Here I am.' } });
    expect(requests()).toBe(3);
  });

  it('that stays overloaded is asked again in other attempts, as many as there are', async () => {
    provider.script(refuse(503, 'busy'));
    const execution = await ended(await start({ attemptsMax: 2 }));
    expect(execution).toMatchObject({ status: 'FAILED', attempt: 2, error: { code: 'MODEL_OVERLOADED' } });
    expect(execution.steps).toMatchObject([{ path: 'step-1', status: 'FAILED' }]);
    expect(requests()).toBe(6);
  });

  it('that refuses for good is not asked again', async () => {
    provider.script(refuse(400, 'no such model'));
    const execution = await ended(await start());
    expect(execution).toMatchObject({ status: 'FAILED', attempt: 1, error: { code: 'MODEL_FAILED' } });
    expect(requests()).toBe(1);
  });

  it('that asks for a pause gets it', async () => {
    provider.script(inTurn(refuse(429, 'slow down', { 'retry-after': '1' }), answer('Thank you.')));
    const execution = await ended(await start());
    expect(execution).toMatchObject({ status: 'SUCCEEDED', result: { content: 'Thank you.' } });
    expect(requests()).toBe(2);
  });

  it('whose stream is cut is asked again, and its half answer is taken back', async () => {
    provider.script(inTurn(cutAfter('It was '), cutAfter('It is '), answer('It will be.')));
    const executionId = await start();
    await expect(textOf(executionId)).resolves.toBe('It will be.');
    expect(await gateway.read(executionId)).toMatchObject({ attempt: 1, result: { content: 'It will be.' } });
  });

  it('whose stream is cut in every try of an attempt is asked again in the next one', async () => {
    provider.script(inTurn(cutAfter('A'), cutAfter('B'), cutAfter('C'), answer('It will be.')));
    const executionId = await start();
    await expect(textOf(executionId)).resolves.toBe('It will be.');
    expect(await gateway.read(executionId)).toMatchObject({ attempt: 2, result: { content: 'It will be.' } });
  });

  it('that sends nonsense is asked again', async () => {
    const nonsense: Script = (_, response) => {
      beginStream(response);
      response.end('data: {"choices":[{"delta":\n\n');
    };
    provider.script(inTurn(nonsense, answer('Sorry.')));
    expect(await ended(await start())).toMatchObject({ status: 'SUCCEEDED', result: { content: 'Sorry.' } });
  });

  it('that writes without end is ended, and the answer is marked', async () => {
    const closed = Promise.withResolvers<void>();
    provider.script((_, response) => {
      beginStream(response);
      response.once('close', () => closed.resolve());
      const piece = chunk({ role: 'assistant', content: 'x'.repeat(10_000) });
      const write = (): void => {
        while (!response.destroyed) if (!response.write(piece)) return void response.once('drain', write);
      };
      write();
    });
    const executionId = await start();
    const text = await textOf(executionId);
    await closed.promise;
    const { status, result } = await gateway.read(executionId);
    expect(status).toBe('SUCCEEDED');
    expect(result).toEqual({ role: 'assistant', content: 'x'.repeat(500_000), truncated: true });
    expect(text).toBe(result!.content);
  });

  it('that stops at its limit of tokens has the answer marked', async () => {
    provider.script((_, response) => {
      beginStream(response);
      const stop = ending().replace('"finish_reason":"stop"', '"finish_reason":"length"');
      response.end(`${chunk({ role: 'assistant', content: 'It was' })}${stop}`);
    });
    expect((await ended(await start())).result).toEqual({ role: 'assistant', content: 'It was', truncated: true });
  });
});

describe('the request to a provider', () => {
  /** Streams a piece and then nothing; says when the connection is closed. */
  function silent(): { readonly script: Script; readonly begun: Promise<void>; readonly closed: Promise<void> } {
    const [begun, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const script: Script = (_, response) => {
      beginStream(response);
      response.once('close', () => closed.resolve());
      response.write(chunk({ role: 'assistant', content: 'Well,' }), () => begun.resolve());
    };
    return { script, begun: begun.promise, closed: closed.promise };
  }

  it('is aborted when the execution is canceled', async () => {
    const { script, begun, closed } = silent();
    provider.script(script);
    const executionId = await start();
    await begun;
    await gateway.graphql('mutation ($id: ID!) { cancelExecution(input: { id: $id }) { userErrors { message } } }', {
      id: executionId,
    });
    await closed;
    expect(await ended(executionId)).toMatchObject({ status: 'CANCELED', result: null });
    expect(requests()).toBe(1);
  });

  it('is aborted at the timeout', async () => {
    const { script, closed } = silent();
    provider.script(script);
    const executionId = await start({ timeout: 'PT1S', attemptsMax: 1 });
    await closed;
    expect(await ended(executionId)).toMatchObject({ status: 'TIMED_OUT', error: { code: 'WORKER_TIMED_OUT' } });
  });
});

it('streams what the provider sends while it is still sending', async () => {
  const [seen, sent] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  provider.script(async (_, response) => {
    beginStream(response);
    response.write(chunk({ role: 'assistant', content: 'First' }));
    sent.resolve();
    await seen.promise; // the second piece waits until somebody has read the first
    response.end(`${chunk({ content: ' and second.' })}${ending()}`);
  });
  const executionId = await start();
  await sent.promise;
  await pollUntil('the first piece', async () => {
    const { execution } = await gateway.graphql<{ execution: { partialText: string | null } }>(
      'query ($id: ID!) { execution(id: $id) { partialText } }',
      { id: executionId },
    );
    return execution.partialText === 'First' ? true : undefined;
  });
  seen.resolve();
  await expect(textOf(executionId)).resolves.toBe('First and second.');
});

it('says how to configure a model when there is none', async () => {
  const bare = await startAgentGateway({});
  try {
    const post = await bare.addWebhook([await bare.addAgent({})]);
    const { status, body } = await post({ userMessage: 'Hello?' });
    expect(status).toBe(500);
    expect(body.results[0]).toMatchObject({
      code: 'MODEL_NOT_CONFIGURED',
      error: expect.stringMatching(/createModel.*OPENAI_API_KEY/),
    });
  } finally {
    await bare.close();
  }
});

it('gives a provider up that asks for one pause after the other, though nobody waits', async () => {
  const impatient = await startAgentGateway({
    OPENAI_BASE_URL: provider.baseUrl,
    OPENAI_MODEL: 'test',
    MODEL_WAIT_MS_MAX: '4000',
  });
  try {
    provider.script(refuse(429, 'slow down', { 'retry-after': '1' }));
    const post = await impatient.addWebhook([await impatient.addAgent({})], { executionMode: 'ASYNC' });
    const { executionId } = (await post({ userMessage: 'Hello?' })).body.results[0]!;
    const execution = await pollUntil('its end', async () => {
      const seen = await impatient.read(executionId);
      return seen.status === 'FAILED' ? seen : undefined;
    });
    expect(execution).toMatchObject({
      attempt: 1,
      error: { code: 'MODEL_RATE_LIMITED', message: expect.stringMatching(/waited as long as it may.*asks to wait/) },
    });
    expect(requests()).toBeGreaterThan(1);
  } finally {
    await impatient.close();
  }
});
