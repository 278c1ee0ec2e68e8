import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Postponed } from '../../../src/errors.js';
import { parseId } from '../../../src/lib/ids.js';
import type { ModelDesk } from '../../../src/models/model-desk.js';
import { type DeskProcess, type ModelFixture, openModelFixture, type Payer } from '../../support/model-fixture.js';
import { pollUntil } from '../../support/poll-until.js';
import { signal } from '../../support/execution-fixture.js';
import {
  answer,
  beginStream,
  chunk,
  ending,
  refuse,
  type ScriptedModelServer,
  startScriptedModelServer,
} from '../../support/scripted-model-server.js';

let fixture: ModelFixture;
let server: ScriptedModelServer;
let payer: Payer;
let other: DeskProcess;

beforeAll(async () => {
  fixture = await openModelFixture();
  server = await startScriptedModelServer();
  payer = await fixture.addPayer();
  other = await fixture.openProcess();
});

afterEach(() => server.script(answer('Paris')));

afterAll(async () => {
  await server.close();
  await fixture.close();
});

/** How many of these steps were made; each of the others was postponed. */
async function made(steps: readonly Promise<unknown>[]): Promise<{ steps: number; delaysMs: number[] }> {
  const results = await Promise.allSettled(steps);
  const delaysMs = results.flatMap((result) => {
    if (result.status === 'fulfilled') return [];
    expect(result.reason).toBeInstanceOf(Postponed);
    return [(result.reason as Postponed).delayMs];
  });
  return { steps: results.length - delaysMs.length, delaysMs };
}

const askOn = (desk: ModelDesk, modelId: string, times: number): Promise<unknown>[] =>
  Array.from({ length: times }, () => fixture.ask(payer, { modelId }, desk));

/** Answers that wait until they are let go. */
function held(): { readonly letGo: () => void } {
  const { given, give } = signal();
  server.script(async (_, response) => {
    beginStream(response);
    response.write(chunk({ role: 'assistant', content: 'Pa' }));
    await given;
    response.end(`${chunk({ content: 'ris' })}${ending()}`);
  });
  return { letGo: give };
}

const leases = async (modelId: string): Promise<number> => {
  const { rows } = await fixture.database.pool.query<{ n: number }>(
    'select count(*)::integer as n from model_leases where model_id = $1',
    [parseId('model', modelId)],
  );
  return rows[0]!.n;
};

describe('requests a minute', () => {
  it('are exact over two processes', async () => {
    const modelId = await fixture.addModel({ baseUrl: server.baseUrl, requestsPerMinute: 40 });
    const before = server.requests.length;
    const { steps, delaysMs } = await made([...askOn(fixture.desk, modelId, 30), ...askOn(other.desk, modelId, 30)]);
    expect(steps).toBe(40);
    expect(server.requests.length - before).toBe(40);
    expect(delaysMs).toHaveLength(20);
    for (const delayMs of delaysMs) {
      expect(delayMs).toBeGreaterThan(0);
      expect(delayMs).toBeLessThanOrEqual(62_000);
    }
  });

  it('are none when the limit is 0', async () => {
    const modelId = await fixture.addModel({ baseUrl: server.baseUrl, requestsPerMinute: 0 });
    expect((await made(askOn(fixture.desk, modelId, 20))).steps).toBe(20);
  });
});

describe('tokens a minute', () => {
  it('count what the steps came to, over two processes', async () => {
    const modelId = await fixture.addModel({ baseUrl: server.baseUrl, tokensPerMinute: 10_000 });
    server.script(answer('Paris', { prompt_tokens: 2_900, completion_tokens: 100, total_tokens: 3_000 }));
    let steps = 0;
    for (const desk of [fixture.desk, other.desk, fixture.desk, other.desk, fixture.desk]) {
      steps += (await made(askOn(desk, modelId, 1))).steps;
    }
    expect(steps).toBe(3); // 9,000 are counted; the estimate of a fourth no longer fits
  });

  it('let a step pass that is larger than the limit, alone in its minute', async () => {
    const modelId = await fixture.addModel({ baseUrl: server.baseUrl, tokensPerMinute: 10 });
    expect((await made(askOn(fixture.desk, modelId, 1))).steps).toBe(1);
    expect((await made(askOn(other.desk, modelId, 1))).steps).toBe(0);
  });
});

describe('concurrency', () => {
  it('is exact over two processes, and free again when steps end', async () => {
    const modelId = await fixture.addModel({ baseUrl: server.baseUrl, concurrencyMax: 3 });
    const { letGo } = held();
    const asked = [...askOn(fixture.desk, modelId, 5), ...askOn(other.desk, modelId, 5)];
    const all = made(asked);
    // Seven give up by themselves; three wait for the provider.
    let settled = 0;
    for (const step of asked) step.catch(() => (settled += 1));
    await pollUntil('seven to give up', async () => (settled === 7 ? true : undefined));
    expect(await leases(modelId)).toBe(3);
    letGo();
    expect((await all).steps).toBe(3);
    expect(await leases(modelId)).toBe(0);
    server.script(answer('Paris'));
    expect((await made(askOn(other.desk, modelId, 1))).steps).toBe(1);
  });

  it('is free again when a step fails', async () => {
    const modelId = await fixture.addModel({ baseUrl: server.baseUrl, concurrencyMax: 1 });
    server.script(refuse(500, 'no'));
    await expect(fixture.ask(payer, { modelId })).rejects.toMatchObject({ code: 'MODEL_FAILED' });
    expect(await leases(modelId)).toBe(0);
  });

  it('is not held by a process that is gone', async () => {
    const modelId = await fixture.addModel({ baseUrl: server.baseUrl, concurrencyMax: 1 });
    const dead = `insert into model_leases (id, model_id, tokens, cost_nanos, expires_at)
      values (gen_random_uuid(), $1, 0, 0, now() + $2::interval)`;
    await fixture.database.pool.query(dead, [parseId('model', modelId), '10 seconds']);
    expect((await made(askOn(fixture.desk, modelId, 1))).steps).toBe(0);
    await fixture.database.pool.query('update model_leases set expires_at = now() where model_id = $1', [
      parseId('model', modelId),
    ]);
    expect((await made(askOn(fixture.desk, modelId, 1))).steps).toBe(1);
  });
});

describe("a provider's own limit", () => {
  it('pauses the model in every process, and no other model', async () => {
    const modelId = await fixture.addModel({ baseUrl: server.baseUrl });
    await made(askOn(other.desk, modelId, 1)); // so that the other process knows the model as not paused
    server.script(refuse(429, 'slow down', { 'retry-after': '60' }));
    expect((await made(askOn(fixture.desk, modelId, 1))).steps).toBe(0);
    server.script(answer('Paris'));
    const before = server.requests.length;
    const [own] = (await made(askOn(fixture.desk, modelId, 1))).delaysMs;
    expect(own).toBeGreaterThan(55_000);
    const delayMs = await pollUntil('the other process to hear of the pause', async () => {
      return (await made(askOn(other.desk, modelId, 1))).delaysMs[0];
    });
    expect(delayMs).toBeGreaterThan(55_000);
    expect(delayMs).toBeLessThan(63_000);
    expect(server.requests.length - before).toBeLessThan(5); // those before the other process heard of it
    const another = await fixture.addModel({ baseUrl: server.baseUrl });
    expect((await made(askOn(fixture.desk, another, 1))).steps).toBe(1);
  });

  it('ends when its time is over', async () => {
    const modelId = await fixture.addModel({ baseUrl: server.baseUrl });
    server.script(refuse(429, 'slow down', { 'retry-after-ms': '200' }));
    expect((await made(askOn(fixture.desk, modelId, 1))).steps).toBe(0);
    server.script(answer('Paris'));
    await pollUntil('the pause to end', async () => {
      return (await made(askOn(fixture.desk, modelId, 1))).steps === 1 ? true : undefined;
    });
  });
});
