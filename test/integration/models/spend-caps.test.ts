import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AppError, Postponed } from '../../../src/errors.js';
import { formatId, parseId } from '../../../src/lib/ids.js';
import type { ModelDesk } from '../../../src/models/model-desk.js';
import { setSpendCap, type SetSpendCapInput } from '../../../src/models/set-spend-cap.js';
import { createWebhook } from '../../../src/webhooks/manage/create-webhook.js';
import { type DeskProcess, type ModelFixture, openModelFixture, type Payer } from '../../support/model-fixture.js';
import { pollUntil } from '../../support/poll-until.js';
import {
  answer,
  refuse,
  type ScriptedModelServer,
  startScriptedModelServer,
} from '../../support/scripted-model-server.js';

/** A step comes to 100 tokens and, at these prices, to a tenth of a cent. */
const USAGE = { prompt_tokens: 90, completion_tokens: 10, total_tokens: 100 };
const PRICES = { prompt: 10_000_000_000, completion: 10_000_000_000 };

let fixture: ModelFixture;
let server: ScriptedModelServer;
let other: DeskProcess;
let modelId: string;

beforeAll(async () => {
  fixture = await openModelFixture();
  server = await startScriptedModelServer(answer('Paris', USAGE));
  other = await fixture.openProcess();
  await fixture.addWorkers('worker-a');
  modelId = await fixture.addModel({ baseUrl: server.baseUrl, prices: PRICES });
});

afterAll(async () => {
  await server.close();
  await fixture.close();
});

/** An execution of a webhook of its own, with a cap that both processes know of. */
async function capped(cap: Omit<SetSpendCapInput, 'webhookId'>): Promise<Payer> {
  const created = await createWebhook(fixture, fixture.owner, {
    name: 'Capped',
    workerIds: ['worker-a'],
    executionMode: 'ASYNC',
    dispatch: 'PARALLEL',
    active: true,
    authentication: { method: 'SECRET_HEADER' },
  });
  if (!created.ok) throw new Error(JSON.stringify(created));
  const { id } = created.value.webhook;
  await setCap(id, cap);
  return await fixture.addPayer(formatId('webhook', id));
}

const setCap = async (webhookId: string, cap: Omit<SetSpendCapInput, 'webhookId'>): Promise<void> => {
  expect(await setSpendCap(fixture, fixture.owner, { webhookId, ...cap })).toMatchObject({ ok: true });
};

const ask = (payer: Payer, desk?: ModelDesk): Promise<unknown> => fixture.ask(payer, { modelId }, desk);

/** Asks as a runner does: again when postponed. @returns whether it was made; false at the cap. */
async function askUntilDecided(payer: Payer, desk: ModelDesk): Promise<boolean> {
  return await pollUntil('a step to be made or refused', async () => {
    try {
      await ask(payer, desk);
      return true;
    } catch (error) {
      if (error instanceof Postponed) return undefined;
      expect(error).toMatchObject({ code: 'SPEND_CAP_REACHED', retryable: false });
      return false;
    }
  });
}

async function spent({ webhookId }: Payer): Promise<{ tokens: number; cost: string }> {
  const { rows } = await fixture.database.pool.query(
    `select coalesce(sum(prompt_tokens + completion_tokens), 0)::float8 as tokens,
       coalesce(sum(cost_nanos), 0)::text as cost from model_usage where webhook_id = $1`,
    [parseId('webhook', webhookId)],
  );
  return rows[0];
}

describe('a cap of tokens', () => {
  it('lets steps pass until it is reached, and then asks no provider', async () => {
    const payer = await capped({ tokensPerDay: 200 });
    await ask(payer);
    await ask(payer, other.desk);
    const before = server.requests.length;
    for (const desk of [fixture.desk, other.desk]) {
      await expect(ask(payer, desk)).rejects.toMatchObject({ code: 'SPEND_CAP_REACHED', retryable: false });
    }
    expect(server.requests.length).toBe(before);
  });

  it('is exact over two processes that ask at the same time', async () => {
    const payer = await capped({ tokensPerDay: 500 });
    const asked = Array.from({ length: 12 }, (_, i) => askUntilDecided(payer, i % 2 ? fixture.desk : other.desk));
    const made = (await Promise.all(asked)).filter(Boolean).length;
    expect(made).toBe(5);
    expect(await spent(payer)).toMatchObject({ tokens: 500 });
  });

  it('is not held by steps that failed', async () => {
    const payer = await capped({ tokensPerDay: 100 });
    server.script(refuse(500, 'no'));
    await expect(ask(payer)).rejects.toMatchObject({ code: 'MODEL_FAILED' });
    server.script(answer('Paris', USAGE));
    await ask(payer, other.desk);
    expect(await spent(payer)).toMatchObject({ tokens: 100 });
  });

  it('is of its webhook and its day', async () => {
    const [payer, neighbour] = [await capped({ tokensPerDay: 100 }), await capped({ tokensPerDay: 100 })];
    await ask(payer);
    await ask(neighbour);
    await expect(ask(payer)).rejects.toMatchObject({ code: 'SPEND_CAP_REACHED' });
    await fixture.database.pool.query('update model_usage set day = day - 1 where webhook_id = $1', [
      parseId('webhook', payer.webhookId),
    ]);
    await ask(payer);
    await expect(ask(neighbour)).rejects.toMatchObject({ code: 'SPEND_CAP_REACHED' });
  });

  it('can be raised and taken away while the day is under way', async () => {
    const payer = await capped({ tokensPerDay: 0 });
    const webhookId = parseId('webhook', payer.webhookId)!;
    await expect(ask(payer, other.desk)).rejects.toMatchObject({ code: 'SPEND_CAP_REACHED' });
    await setCap(webhookId, { tokensPerDay: 100 });
    await ask(payer, other.desk); // the database decides: no cache can be too old to let it pass
    await expect(ask(payer, other.desk)).rejects.toMatchObject({ code: 'SPEND_CAP_REACHED' });
    await setCap(webhookId, { tokensPerDay: null });
    await ask(payer, other.desk);
  });

  it('is heard of by processes that knew of none', async () => {
    const payer = await capped({});
    const webhookId = parseId('webhook', payer.webhookId)!;
    await ask(payer, other.desk);
    await setCap(webhookId, { tokensPerDay: 1 });
    const refusal = await pollUntil('the other process to hear of it', async () =>
      ask(payer, other.desk).then(
        () => undefined,
        (error: unknown) => error as AppError,
      ),
    );
    expect(refusal).toMatchObject({ code: 'SPEND_CAP_REACHED' });
  });
});

describe('a cap of cost', () => {
  it('stops at the price of what was used', async () => {
    const payer = await capped({ costNanosPerDay: 2_500_000n }); // two steps and a half
    const asked = Array.from({ length: 6 }, (_, i) => askUntilDecided(payer, i % 2 ? fixture.desk : other.desk));
    expect((await Promise.all(asked)).filter(Boolean)).toHaveLength(3);
    expect(await spent(payer)).toMatchObject({ cost: '3000000' }); // over by less than one step
  });
});

describe('a cap of runs', () => {
  const execution = ({ executionId, webhookId }: Payer): { executionId: string; webhookId: string } => ({
    executionId: parseId('execution', executionId)!,
    webhookId: parseId('webhook', webhookId)!,
  });

  it('counts each execution once, over two processes', async () => {
    const first = await capped({ runsPerDay: 3 });
    const payers = [first, ...(await Promise.all(Array.from({ length: 7 }, () => fixture.addPayer(first.webhookId))))];
    const admitted = async (payer: Payer, { caps }: Pick<DeskProcess, 'caps'>): Promise<boolean> => {
      const refusal = await caps.admitRun(execution(payer)).catch((error: unknown) => error);
      if (refusal !== undefined) expect(refusal).toMatchObject({ code: 'SPEND_CAP_REACHED', retryable: false });
      return refusal === undefined;
    };
    const outcomes = await Promise.all(payers.map((payer, i) => admitted(payer, i % 2 ? fixture : other)));
    expect(outcomes.filter(Boolean)).toHaveLength(3);
    // Another attempt of those that began is no other run.
    const again = await Promise.all(payers.map((payer) => admitted(payer, other)));
    expect(again).toEqual(outcomes);
  });

  it('does not stop the steps of a model', async () => {
    const payer = await capped({ runsPerDay: 0 });
    await ask(payer);
    await expect(fixture.caps.admitRun(execution(payer))).rejects.toBeInstanceOf(AppError);
  });
});
