import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readStatistics } from '../../../src/calls/statistics.js';
import { compactStatistics } from '../../../src/calls/compact-statistics.js';
import { parseId } from '../../../src/lib/ids.js';
import { costNanos } from '../../../src/models/cost.js';
import { settleStep } from '../../../src/models/settle-step.js';
import { type ModelFixture, openModelFixture, type Payer } from '../../support/model-fixture.js';
import {
  anthropicAnswer,
  answer,
  type ScriptedModelServer,
  startScriptedModelServer,
} from '../../support/scripted-model-server.js';

let fixture: ModelFixture;
let server: ScriptedModelServer;

beforeAll(async () => {
  fixture = await openModelFixture();
  server = await startScriptedModelServer();
});

afterAll(async () => {
  await server.close();
  await fixture.close();
});

/** $2.50 and $10 a million tokens, $0.25 from the cache. */
const PRICES = { prompt: 2_500_000_000, completion: 10_000_000_000, cached: 250_000_000 };

const USAGE = {
  prompt_tokens: 1_000,
  completion_tokens: 50,
  total_tokens: 1_050,
  prompt_tokens_details: { cached_tokens: 400 },
};

/** 600 × 2,500 + 400 × 250 + 50 × 10,000 nano-dollars. */
const COST = 1_500_000n + 100_000n + 500_000n;

async function charged({ executionId }: Payer): Promise<Record<string, unknown>> {
  const { rows } = await fixture.database.pool.query(
    `select prompt_tokens as prompt, completion_tokens as completion, cached_tokens as cached, cost_nanos as cost
     from executions where id = $1`,
    [parseId('execution', executionId)],
  );
  return rows[0];
}

describe('the cost of tokens', () => {
  const prices = { prompt: 37_500_000n, completion: 150_000_000n, cached: undefined };

  it('is rounded once, for prices below a nano-dollar a token', () => {
    expect(costNanos(prices, { promptTokens: 1, completionTokens: 0, cachedTokens: 0 })).toBe(38n); // 37.5
    expect(costNanos(prices, { promptTokens: 3, completionTokens: 1, cachedTokens: 0 })).toBe(263n); // 262.5
  });

  it('takes cached tokens for others when they have no price', () => {
    const cached = costNanos(prices, { promptTokens: 1_000, completionTokens: 0, cachedTokens: 900 });
    expect(cached).toBe(costNanos(prices, { promptTokens: 1_000, completionTokens: 0, cachedTokens: 0 }));
  });
});

describe('a step', () => {
  it('is counted for its execution, its webhook and the day', async () => {
    const modelId = await fixture.addModel({ baseUrl: server.baseUrl, prices: PRICES });
    const payer = await fixture.addPayer();
    server.script(answer('Paris', USAGE));
    const first = await fixture.ask(payer, { modelId });
    expect(first.usage).toEqual({ promptTokens: 1_000, completionTokens: 50, cachedTokens: 400, costNanos: COST });
    await fixture.ask(payer, { modelId });
    expect(await charged(payer)).toEqual({ prompt: 2_000, completion: 100, cached: 800, cost: String(2n * COST) });

    const webhookId = parseId('webhook', payer.webhookId)!;
    const { rows } = await fixture.database.pool.query('select * from model_usage where webhook_id = $1', [webhookId]);
    expect(rows).toMatchObject([
      { model_id: parseId('model', modelId), steps: '2', prompt_tokens: '2000', cost_nanos: String(2n * COST) },
    ]);
    const now = Date.now();
    const query = { webhookIds: [webhookId], from: new Date(now - 3_600_000), to: new Date(now + 60_000) };
    const before = await readStatistics(fixture.database.pool, { ...query, interval: 'HOUR' });
    expect(before).toMatchObject({ total: 0, promptTokens: 2_000, completionTokens: 100, costNanos: 2n * COST });
    await fixture.database.pool.query(
      "update call_statistics set bucket_start = bucket_start - interval '3 days' where webhook_id = $1",
      [webhookId],
    );
    await compactStatistics(fixture.database.pool);
    const old = { ...query, from: new Date(now - 4 * 86_400_000), interval: 'DAY' as const };
    expect(await readStatistics(fixture.database.pool, old)).toMatchObject({ costNanos: 2n * COST });
  });

  it('counts once however often its settlement is tried', async () => {
    const payer = await fixture.addPayer();
    const step = {
      stepId: '01900000-0000-7000-8000-000000000001',
      executionId: parseId('execution', payer.executionId)!,
      webhookId: parseId('webhook', payer.webhookId)!,
      modelId: '01900000-0000-7000-8000-000000000002',
      promptTokens: 10,
      completionTokens: 1,
      cachedTokens: 0,
      costNanos: 7n,
    };
    await settleStep(fixture.database.pool, 1, step);
    await settleStep(fixture.database.pool, 1, step);
    expect(await charged(payer)).toMatchObject({ prompt: 10, cost: '7' });
    await settleStep(fixture.database.pool, 1, { ...step, stepId: '01900000-0000-7000-8000-000000000003' });
    expect(await charged(payer)).toMatchObject({ prompt: 20, cost: '14' });
  });

  it('counts once when the answer to its settlement is lost, also beside others of its execution', async () => {
    const modelId = await fixture.addModel({ baseUrl: server.baseUrl, prices: PRICES });
    const payer = await fixture.addPayer();
    server.script(answer('Paris', USAGE));
    const { pool } = fixture.database;
    const query = pool.query.bind(pool) as (...given: unknown[]) => Promise<unknown>;
    let lost = 0;
    pool.query = (async (config: { name?: string }, ...rest: unknown[]) => {
      const settled = await query(config, ...rest);
      if (config.name === 'settle-model-step' && (lost += 1) === 1) throw new Error('the connection was lost');
      return settled;
    }) as typeof pool.query;
    try {
      await Promise.all([fixture.ask(payer, { modelId }), fixture.ask(payer, { modelId })]);
    } finally {
      pool.query = query as typeof pool.query;
    }
    expect(lost).toBe(3); // two and the one that was tried again
    expect(await charged(payer)).toEqual({ prompt: 2_000, completion: 100, cached: 800, cost: String(2n * COST) });
  });

  it('is estimated when the provider does not count', async () => {
    const modelId = await fixture.addModel({ baseUrl: server.baseUrl, prices: PRICES });
    server.script((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const choices = [{ index: 0, delta: { content: 'Paris it is.' }, finish_reason: 'stop' }];
      response.end(`data: ${JSON.stringify({ id: 'c', created: 1, model: 'm', choices })}\n\ndata: [DONE]\n\n`);
    });
    const { usage } = await fixture.ask(await fixture.addPayer(), { modelId });
    expect(usage.completionTokens).toBe(3);
    expect(usage.promptTokens).toBeGreaterThan(10);
    expect(usage.costNanos).toBeGreaterThan(0n);
  });

  it.each([
    ['fractions', { prompt_tokens: 10.5, completion_tokens: 1.2 }, 11, 2],
    ['less than nothing', { prompt_tokens: -5_000, completion_tokens: -1 }, 0, 0],
    ['more than there can be', { prompt_tokens: 1e300, completion_tokens: 3_000_000_000 }, 100_000_000, 100_000_000],
  ])('is counted in whole tokens when a server says %s', async (_, usage, promptTokens, completionTokens) => {
    const modelId = await fixture.addModel({ baseUrl: server.baseUrl, prices: PRICES });
    const payer = await fixture.addPayer();
    server.script(answer('Paris', usage));
    expect((await fixture.ask(payer, { modelId })).usage).toMatchObject({ promptTokens, completionTokens });
    expect(await charged(payer)).toMatchObject(
      promptTokens === 0 ? { prompt: null } : { prompt: promptTokens, completion: completionTokens },
    );
  });

  const OPENAI = { prompt_tokens: 100, completion_tokens: 7, prompt_tokens_details: { cached_tokens: 60 } };
  const ANTHROPIC = { input_tokens: 30, cache_read_input_tokens: 60, cache_creation_input_tokens: 10 };

  it.each([
    { provider: 'OPENAI' as const, modelName: 'gpt-4o', script: answer('Paris', OPENAI) },
    { provider: 'ANTHROPIC' as const, modelName: 'claude-sonnet-4-5', script: anthropicAnswer('Paris', ANTHROPIC, 7) },
  ])("is counted in $provider's own words, the cached tokens as a part of the prompt", async (surface) => {
    const { provider, modelName, script } = surface;
    const { baseUrl } = server;
    server.script(script);
    const modelId = await fixture.addModel({ provider, modelName, baseUrl, apiKey: 'k', prices: PRICES });
    const step = await fixture.ask(await fixture.addPayer(), { modelId });
    expect(step.usage).toEqual({
      promptTokens: 100,
      completionTokens: 7,
      cachedTokens: 60,
      costNanos: 40n * 2_500n + 60n * 250n + 7n * 10_000n,
    });
  });
});
