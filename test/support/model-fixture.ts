import { EventHub } from '../../src/events/event-hub.js';
import { EventListener } from '../../src/events/event-listener.js';
import { systemClock } from '../../src/lib/clock.js';
import { formatId, newRandomUuid, newUuidV7, parseId } from '../../src/lib/ids.js';
import { LimitedModelDesk } from '../../src/models/limited-model-desk.js';
import { ModelCache } from '../../src/models/model-cache.js';
import { keyHint, sealedKeyOf } from '../../src/models/model-key.js';
import type { ModelDesk, ModelStep, ModelStepRequest } from '../../src/models/model-desk.js';
import { MinuteLimits } from '../../src/models/minute-limits.js';
import type { ModelProvider } from '../../src/models/model.entity.js';
import { SpendCaps } from '../../src/models/spend-caps.js';
import { StepGate } from '../../src/models/step-gate.js';
import { StepLeases } from '../../src/models/step-leases.js';
import { OutboundClient } from '../../src/outbound/outbound-client.js';
import { WindowStore } from '../../src/rate-limits/window-store.js';
import { compileSchema } from '../../src/workers/schema-validator.js';
import { type AdminFixture, openAdminFixture } from './admin-fixture.js';

export interface ModelRowOptions {
  readonly provider?: ModelProvider;
  readonly baseUrl: string;
  readonly modelName?: string;
  readonly apiKey?: string;
  /** Nano-dollars for a million tokens. */
  readonly prices?: { readonly prompt: number; readonly completion: number; readonly cached?: number };
  readonly requestsPerMinute?: number;
  readonly tokensPerMinute?: number;
  readonly concurrencyMax?: number;
  readonly isDefault?: boolean;
}

/** Whom steps are counted for; public ids. */
export interface Payer {
  readonly webhookId: string;
  readonly callId: string;
  readonly executionId: string;
}

/** A desk as one process has it. */
export interface DeskProcess {
  readonly desk: ModelDesk;
  readonly models: ModelCache;
  readonly caps: SpendCaps;
}

/** Desks over a real database; providers are whatever HTTP server a test starts. */
export interface ModelFixture extends AdminFixture {
  readonly hub: EventHub;
  readonly desk: ModelDesk;
  readonly caps: SpendCaps;
  /** Stores a model and gives its public id. */
  addModel(options: ModelRowOptions): Promise<string>;
  /** An execution to pay for, of a webhook of its own unless one is given. */
  addPayer(webhookId?: string): Promise<Payer>;
  /** Another process: its own events, caches and connections. */
  openProcess(options?: {
    readonly silentMsMax?: number;
    readonly allowedCidrs?: readonly string[];
  }): Promise<DeskProcess>;
  /** Asks one short question. */
  ask(
    payer: Payer,
    request?: Partial<ModelStepRequest>,
    desk?: ModelDesk,
  ): Promise<ModelStep & { readonly deltas: string[] }>;
}

export async function openModelFixture(): Promise<ModelFixture> {
  const admin = await openAdminFixture();
  const { database, keyring, log, url, owner } = admin;
  const sql = database.pool;
  const closers: (() => Promise<void> | void)[] = [];

  const openProcess: ModelFixture['openProcess'] = async ({ allowedCidrs = ['127.0.0.0/8'], ...options } = {}) => {
    const hub = new EventHub();
    const listener = new EventListener({ url, hub, log });
    await listener.start();
    const outbound = new OutboundClient({ allowedCidrs });
    const models = new ModelCache({ sql, hub, keyring, clock: systemClock, listening: () => listener.listening });
    const leases = new StepLeases(sql, log);
    const limits = new MinuteLimits(new WindowStore(sql, log), systemClock);
    const caps = new SpendCaps({ sql, hub, listening: () => listener.listening });
    const gate = new StepGate({ caps, leases, limits, clock: systemClock });
    const desk = new LimitedModelDesk({
      models,
      gate,
      leases,
      limits,
      sql,
      outbound,
      toolInputFault: (schema, input) => {
        const [fault] = compileSchema(schema, { trusted: true })(input);
        return fault && `${fault.pointer}: ${fault.message}`;
      },
      shard: 1,
      log,
      ...options,
    });
    closers.push(async () => {
      await limits.close();
      leases.close();
      caps.close();
      models.close();
      hub.close();
      await listener.close();
      await outbound.close();
    });
    return { desk, models, caps, hub };
  };
  const first = (await openProcess()) as DeskProcess & { hub: EventHub };

  return {
    ...admin,
    hub: first.hub,
    desk: first.desk,
    caps: first.caps,
    openProcess,
    addModel: async (options) => {
      const id = newUuidV7();
      const { provider = 'OPENAI_COMPATIBLE', baseUrl, modelName = 'test-model', apiKey = null, prices } = options;
      await sql.query(
        `insert into models (id, name, provider, base_url, model_name, api_key_sealed, api_key_version, api_key_hint,
           prompt_price, completion_price, cached_price, requests_per_minute, tokens_per_minute, concurrency_max,
           is_default)
         values ($1, 'test', $2, $3, $4, $5, 1, $6, $7, $8, $9, $10, $11, $12, $13)`,
        [
          id,
          provider,
          baseUrl,
          modelName,
          apiKey === null ? null : keyring.seal(apiKey, sealedKeyOf(id, 1)),
          apiKey === null ? null : keyHint(apiKey),
          prices?.prompt ?? 0,
          prices?.completion ?? 0,
          prices?.cached ?? null,
          options.requestsPerMinute ?? 0,
          options.tokensPerMinute ?? 0,
          options.concurrencyMax ?? 0,
          options.isDefault ?? false,
        ],
      );
      return formatId('model', id);
    },
    addPayer: async (webhook) => {
      const webhookId = webhook ?? formatId('webhook', newRandomUuid());
      const [callId, executionId] = [newUuidV7(), newUuidV7()];
      await sql.query(
        `with uuids as (select $1::uuid as execution, $2::uuid as call, $3::uuid as webhook)
         insert into executions (id, call_id, webhook_id, worker_id, position, status, queued_at)
         select execution, call, webhook, 'worker-test', 0, 'RUNNING', now() from uuids`,
        [executionId, callId, parseId('webhook', webhookId)],
      );
      return { webhookId, callId: formatId('call', callId), executionId: formatId('execution', executionId) };
    },
    ask: async (payer, request = {}, desk = first.desk) => {
      const deltas: string[] = [];
      const step = await desk.step({
        modelId: undefined,
        ...payer,
        instructions: 'Answer in one word.',
        messages: [{ role: 'user', content: 'What is the capital of France?' }],
        tools: [],
        signal: new AbortController().signal,
        onText: (delta) => void deltas.push(delta),
        ...request,
      });
      return { ...step, deltas };
    },
    owner,
    close: async () => {
      for (const close of closers.toReversed()) await close();
      await admin.close();
    },
  };
}
