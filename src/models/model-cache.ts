import { LRUCache } from 'lru-cache';
import type { Sql } from '../db/database.js';
import type { EventHub } from '../events/event-hub.js';
import { topics } from '../events/event.js';
import type { Clock } from '../lib/clock.js';
import type { Keyring } from '../secrets/seal.js';
import { openKey } from './model-key.js';
import type { ModelProvider } from './model.entity.js';
import type { ModelPrices } from './cost.js';

/** A model as the desk needs it. The key is in plain text here: it never leaves the process. */
export interface CallableModel {
  /** A UUID. */
  readonly id: string;
  readonly name: string;
  readonly provider: ModelProvider;
  readonly baseUrl: string | null;
  readonly modelName: string;
  readonly apiKey: string | undefined;
  readonly structuredOutputs: boolean;
  readonly prices: ModelPrices;
  /** Limits; 0 is none. */
  readonly requestsPerMinute: number;
  readonly tokensPerMinute: number;
  readonly concurrencyMax: number;
  /** Its address is the operator's own choice: it may be a private one. */
  readonly isOperators: boolean;
  /** Until when its provider asked not to be asked, on this process's monotonic clock. */
  readonly pausedUntilMs: number;
}

export interface ModelCacheOptions {
  readonly sql: Sql;
  readonly hub: EventHub;
  readonly keyring: Keyring;
  readonly clock: Clock;
  /** Whether events arrive now. While they don't, nothing is taken from the cache. */
  readonly listening: () => boolean;
}

const ENTRIES_MAX = 1_000;

/** Even with events, an entry is read again after this long. */
const TTL_MS = 60_000;

const DEFAULT = 'default';

/** The models as the desk needs them. Any change publishes `model-changed`, which empties the cache in every process. */
export class ModelCache {
  readonly #options: ModelCacheOptions;
  readonly #entries: LRUCache<string, Promise<CallableModel | undefined>>;
  readonly #stop: () => void;

  constructor(options: ModelCacheOptions) {
    this.#options = options;
    const perf = { now: () => options.clock.monotonicMs() };
    this.#entries = new LRUCache({ max: ENTRIES_MAX, ttl: TTL_MS, ttlResolution: 0, perf });
    // All of them: which one is the default may have changed with any.
    this.#stop = options.hub.listen([topics.models], () => this.#entries.clear());
  }

  /** @param id a UUID; `undefined` is the default model. Deleted models are as if they had never been. */
  get(id: string | undefined): Promise<CallableModel | undefined> {
    const key = id ?? DEFAULT;
    const known = this.#options.listening() ? this.#entries.get(key) : undefined;
    if (known !== undefined) return known;
    const loading = readCallableModel(this.#options, id);
    this.#entries.set(key, loading);
    loading.catch(() => {
      if (this.#entries.peek(key) === loading) this.#entries.delete(key); // a failed read is not an answer to keep
    });
    return loading;
  }

  /** Forgets everything: this process has changed a model itself, and its own event is still on its way. */
  clear(): void {
    this.#entries.clear();
  }

  close(): void {
    this.#stop();
    this.#entries.clear();
  }
}

interface ModelRow {
  readonly id: string;
  readonly name: string;
  readonly provider: ModelProvider;
  readonly baseUrl: string | null;
  readonly modelName: string;
  readonly sealed: Buffer | null;
  readonly keyVersion: number;
  readonly structuredOutputs: boolean;
  readonly promptPrice: string;
  readonly completionPrice: string;
  readonly cachedPrice: string | null;
  readonly requestsPerMinute: number;
  readonly tokensPerMinute: number;
  readonly concurrencyMax: number;
  readonly managedBy: string | null;
  readonly pausedMs: number | null;
}

const READ = `
  select id, name, provider, base_url as "baseUrl", model_name as "modelName", api_key_sealed as sealed,
    api_key_version as "keyVersion", structured_outputs as "structuredOutputs", prompt_price as "promptPrice",
    completion_price as "completionPrice", cached_price as "cachedPrice", requests_per_minute as "requestsPerMinute",
    tokens_per_minute as "tokensPerMinute", concurrency_max as "concurrencyMax", managed_by as "managedBy",
    extract(epoch from paused_until - now())::float8 * 1000 as "pausedMs"
  from models where deleted_at is null and case when $1::uuid is null then is_default else id = $1 end`;

/** Reads a model with its key. */
export async function readCallableModel(
  { sql, keyring, clock }: Pick<ModelCacheOptions, 'sql' | 'keyring' | 'clock'>,
  id: string | undefined,
): Promise<CallableModel | undefined> {
  const { rows } = await sql.query<ModelRow>({ name: 'read-callable-model', text: READ, values: [id] });
  const row = rows[0];
  if (row === undefined) return undefined;
  const { sealed, keyVersion, promptPrice, completionPrice, cachedPrice, managedBy, pausedMs, ...rest } = row;
  return {
    ...rest,
    apiKey: openKey(keyring, { id: row.id, apiKeySealed: sealed, apiKeyVersion: keyVersion }),
    prices: {
      prompt: BigInt(promptPrice),
      completion: BigInt(completionPrice),
      cached: cachedPrice === null ? undefined : BigInt(cachedPrice),
    },
    isOperators: managedBy !== null,
    pausedUntilMs: clock.monotonicMs() + (pausedMs ?? -1),
  };
}
