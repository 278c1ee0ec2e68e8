import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { LLMock } from '@copilotkit/aimock';
import { type AppError, Postponed } from '../../../src/errors.js';
import { parseId } from '../../../src/lib/ids.js';
import { type DeskProcess, type ModelFixture, openModelFixture, type Payer } from '../../support/model-fixture.js';
import {
  answer,
  beginStream,
  chunk,
  ending,
  refuse,
  type ScriptedModelServer,
  startScriptedModelServer,
} from '../../support/scripted-model-server.js';

/** A key and a prompt that must appear nowhere. */
const KEY = 'sk-canary-4f2b9c1d8e7a6055';
const PROMPT = 'the canary of the prompt sings at dawn';

let fixture: ModelFixture;
let server: ScriptedModelServer;
let payer: Payer;

beforeAll(async () => {
  fixture = await openModelFixture();
  server = await startScriptedModelServer();
  payer = await fixture.addPayer();
});

afterAll(async () => {
  await server.close();
  await fixture.close();
});

/** A model of its own, so that a pause of one test is no other's. */
const addModel = (): Promise<string> => fixture.addModel({ baseUrl: server.baseUrl, apiKey: KEY });

async function faultOf(script: Parameters<ScriptedModelServer['script']>[0], process?: DeskProcess): Promise<Error> {
  server.script(script);
  const messages = [{ role: 'user' as const, content: PROMPT }];
  const asked = fixture.ask(payer, { modelId: await addModel(), messages }, process?.desk);
  return await asked.then(
    () => {
      throw new Error('the step succeeded');
    },
    (error: unknown) => error as Error,
  );
}

async function tokensOf({ executionId }: Payer): Promise<{ prompt: number | null; completion: number | null }> {
  const { rows } = await fixture.database.pool.query(
    'select prompt_tokens as prompt, completion_tokens as completion from executions where id = $1',
    [parseId('execution', executionId)],
  );
  return rows[0];
}

describe('a provider that refuses', () => {
  it.each([
    { status: 400, retryable: false, code: 'MODEL_FAILED' },
    { status: 401, retryable: false, code: 'MODEL_FAILED' },
    { status: 404, retryable: false, code: 'MODEL_FAILED' },
    { status: 500, retryable: true, code: 'MODEL_FAILED' },
    { status: 502, retryable: true, code: 'MODEL_FAILED' },
    { status: 429, retryable: true, code: 'MODEL_RATE_LIMITED' },
    { status: 503, retryable: true, code: 'MODEL_OVERLOADED' },
    { status: 529, retryable: true, code: 'MODEL_OVERLOADED' },
  ])('is $code on $status', async ({ status, retryable, code }) => {
    const error = await faultOf(refuse(status, 'It is as it is.'));
    expect(error).toMatchObject({ code, retryable });
    expect(error.message).toContain('It is as it is.');
  });

  it('is not asked again by the SDK behind our back', async () => {
    const before = server.requests.length;
    await faultOf(refuse(500, 'no'));
    expect(server.requests.length - before).toBe(1);
  });

  it('takes a limit that only money raises for a failure', async () => {
    const error = await faultOf(refuse(429, 'You exceeded your current quota: insufficient_quota'));
    expect(error).toMatchObject({ code: 'MODEL_FAILED', retryable: false });
  });

  it.each([429, 503, 529])('postpones on a %i that names a time, and costs no attempt', async (status) => {
    const error = await faultOf(refuse(status, 'wait', { 'retry-after': '7' }));
    expect(error).toBeInstanceOf(Postponed);
    expect(error).toMatchObject({ code: 'MODEL_RATE_LIMITED' });
    const { delayMs } = error as Postponed;
    expect(delayMs).toBeGreaterThanOrEqual(7_000);
    expect(delayMs).toBeLessThan(9_100);
  });

  it('shows neither the key nor what was sent, even when the provider repeats them', async () => {
    const error = await faultOf((request, response) => {
      const said = `Bad key ${KEY} and bad input "${request.body.messages[1].content}"`;
      return refuse(400, said)(request, response);
    });
    expect(error.message).toContain('Bad key');
    const everything = JSON.stringify([error.message, (error as AppError).detail, error.cause, error.stack]);
    expect(everything).not.toContain('canary');
  });

  it('costs nothing', async () => {
    const own = await fixture.addPayer();
    server.script(refuse(500, 'no'));
    await expect(fixture.ask(own, { modelId: await addModel() })).rejects.toMatchObject({ code: 'MODEL_FAILED' });
    expect(await tokensOf(own)).toEqual({ prompt: null, completion: null });
  });
});

describe('a stream that breaks', () => {
  it.each([
    ['closed in peace', (response: ServerResponse) => void response.end()],
    ['reset', (response: ServerResponse) => void response.destroy()],
  ])('is cut off: %s', async (_, end) => {
    const own = await fixture.addPayer();
    server.script((_request, response) => {
      beginStream(response);
      response.write(chunk({ role: 'assistant', content: 'Par' }), () => setImmediate(() => end(response)));
    });
    const deltas: string[] = [];
    const asked = fixture.ask(own, { modelId: await addModel(), onText: (delta) => void deltas.push(delta) });
    await expect(asked).rejects.toMatchObject({ code: 'MODEL_CUT_OFF', retryable: true });
    expect(deltas).toEqual(['Par']);
    const { prompt, completion } = await tokensOf(own); // nobody said how many; an estimate keeps caps honest
    expect(prompt).toBeGreaterThan(5);
    expect(completion).toBe(1);
  });

  it('is unreadable when its JSON is', async () => {
    const error = await faultOf((_, response) => {
      beginStream(response);
      response.end(`data: {"choices": [{"delta": {"content": "canary\n\n${ending()}`);
    });
    expect(error).toMatchObject({ code: 'MODEL_OUTPUT_INVALID', retryable: true });
    expect(JSON.stringify([error.message, error.cause])).not.toContain('canary');
  });

  it('is unreadable when it is something else altogether', async () => {
    const error = await faultOf((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Sign in to the canary</html>');
    });
    expect(['MODEL_OUTPUT_INVALID', 'MODEL_CUT_OFF']).toContain((error as AppError).code);
    expect(error.message).not.toContain('canary');
  });

  it('is cut off when nothing comes for too long', async () => {
    const process = await fixture.openProcess({ silentMsMax: 300 });
    const error = await faultOf((_, response) => beginStream(response), process);
    expect(error).toMatchObject({ code: 'MODEL_CUT_OFF', retryable: true });
  });

  it('is read up to 64 MiB, whatever it is that goes on for ever', async () => {
    const thought = chunk({ reasoning_content: 'x'.repeat(1_048_576) });
    let sent = 0;
    const endless = Readable.from(
      (function* () {
        for (; sent < 200; sent += 1) yield thought;
      })(),
    );
    const fault = await faultOf(async (_, response) => {
      beginStream(response);
      await pipeline(endless, response).catch(() => undefined); // it is hung up on
    });
    expect(fault).toMatchObject({ code: 'OUTBOUND_RESPONSE_TOO_LARGE', retryable: false });
    expect(sent).toBeLessThan(100);
  });

  it('has an error in the middle', async () => {
    const error = await faultOf((_, response) => {
      beginStream(response);
      response.end(
        `${chunk({ content: 'Par' })}data: ${JSON.stringify({ error: { message: 'Overloaded', type: 'overloaded_error', code: null } })}\n\n`,
      );
    });
    expect(error).toMatchObject({ code: 'MODEL_OVERLOADED', retryable: true });
  });
});

describe('who asks', () => {
  it('aborts, and the provider sees its connection close', async () => {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    server.script((_, response) => {
      response.on('close', () => resolve());
      beginStream(response);
      response.write(chunk({ content: 'Par' }));
    });
    const controller = new AbortController();
    const reason = new Error('enough');
    const asked = fixture.ask(payer, {
      modelId: await addModel(),
      signal: controller.signal,
      onText: () => controller.abort(reason),
    });
    await expect(asked).rejects.toBe(reason);
    await closed;
  });

  it('is told how to configure a model when there is none', async () => {
    await expect(fixture.ask(payer)).rejects.toMatchObject({
      code: 'MODEL_NOT_CONFIGURED',
      retryable: false,
      message: expect.stringContaining('createModel'),
    });
    const gone = await addModel();
    await fixture.database.pool.query('update models set deleted_at = now()');
    await expect(fixture.ask(payer, { modelId: gone })).rejects.toMatchObject({ code: 'MODEL_NOT_CONFIGURED' });
  });

  it('reaches no private address with a model that a user made', async () => {
    const [modelId, guarded] = [await addModel(), await fixture.openProcess({ allowedCidrs: [] })];
    const before = server.requests.length;
    await expect(fixture.ask(payer, { modelId }, guarded.desk)).rejects.toMatchObject({ code: 'OUTBOUND_REFUSED' });
    expect(server.requests.length).toBe(before);
  });

  it('reaches one with a model of the environment', async () => {
    const [modelId, guarded] = [await addModel(), await fixture.openProcess({ allowedCidrs: [] })];
    await fixture.database.pool.query("update models set managed_by = 'OPENAI' where deleted_at is null and id = $1", [
      parseId('model', modelId),
    ]);
    server.script(answer('Paris'));
    expect((await fixture.ask(payer, { modelId }, guarded.desk)).text).toBe('Paris');
  });
});

describe("Anthropic's own faults", () => {
  let mock: LLMock;
  beforeAll(async () => {
    mock = await LLMock.create({ port: 0 });
  });
  afterAll(() => mock.stop());

  it('529 and a cut stream', async () => {
    const modelId = await fixture.addModel({
      provider: 'ANTHROPIC',
      modelName: 'claude-sonnet-4-5',
      baseUrl: mock.baseUrl,
      apiKey: KEY,
    });
    mock.nextRequestError(529, { message: 'Overloaded', type: 'overloaded_error' });
    await expect(fixture.ask(payer, { modelId })).rejects.toMatchObject({ code: 'MODEL_OVERLOADED', retryable: true });
    mock.onMessage(
      /France/,
      { content: 'Paris, of course, as everybody knows.' },
      { chunkSize: 4, truncateAfterChunks: 6, latency: 10 },
    );
    await expect(fixture.ask(payer, { modelId })).rejects.toMatchObject({ code: 'MODEL_CUT_OFF' });
  });
});
