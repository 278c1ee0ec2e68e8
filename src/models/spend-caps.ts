import { LRUCache } from 'lru-cache';
import type { Sql } from '../db/database.js';
import type { EventHub } from '../events/event-hub.js';
import { topics } from '../events/event.js';
import { AppError } from '../errors.js';

/** What a webhook may spend on a day in UTC; `null` is no cap. */
export interface SpendCap {
  /** Tokens in and out of models. */
  readonly tokensPerDay: number | null;
  /** In nano-dollars. */
  readonly costNanosPerDay: bigint | null;
  /** Executions that begin. */
  readonly runsPerDay: number | null;
}

export interface SpendCapsOptions {
  readonly sql: Sql;
  readonly hub: EventHub;
  /** Whether events arrive now. While they don't, nothing is taken from the cache. */
  readonly listening: () => boolean;
}

const ENTRIES_MAX = 10_000;

const TTL_MS = 60_000;

/**
 * Which webhooks have a cap, so that the others cost the database nothing. What is spent is always asked of the
 * database: see `workhook_admit_step` and `workhook_admit_run` in the migration.
 */
export class SpendCaps {
  readonly #options: SpendCapsOptions;
  readonly #entries = new LRUCache<string, Promise<SpendCap | 'none'>>({ max: ENTRIES_MAX, ttl: TTL_MS });
  readonly #stop: () => void;

  constructor(options: SpendCapsOptions) {
    this.#options = options;
    this.#stop = options.hub.listen([topics.spendCaps], (notification) => {
      if (notification.kind === 'spend-cap-changed') this.#entries.delete(notification.webhookId);
      else this.#entries.clear();
    });
  }

  /** Whether the steps of a webhook have to be weighed. @param webhookId a UUID. */
  async limitsSteps(webhookId: string): Promise<boolean> {
    const cap = await this.#get(webhookId);
    return cap !== 'none' && (cap.tokensPerDay !== null || cap.costNanosPerDay !== null);
  }

  /**
   * Counts an execution that begins, once however often it is attempted.
   *
   * @param execution UUIDs.
   * @throws AppError SPEND_CAP_REACHED
   */
  async admitRun(execution: { readonly executionId: string; readonly webhookId: string }): Promise<void> {
    const { executionId, webhookId } = execution;
    const cap = await this.#get(webhookId);
    if (cap === 'none' || cap.runsPerDay === null) return;
    const { rows } = await this.#options.sql.query<{ admitted: boolean }>({
      name: 'admit-run',
      text: 'select workhook_admit_run($1, $2) as admitted',
      values: [executionId, webhookId],
    });
    if (rows[0]?.admitted !== true) throw capReached('runs');
  }

  close(): void {
    this.#stop();
    this.#entries.clear();
  }

  async #get(webhookId: string): Promise<SpendCap | 'none'> {
    const known = this.#options.listening() ? this.#entries.get(webhookId) : undefined;
    if (known !== undefined) return await known;
    const loading = readCap(this.#options.sql, webhookId);
    this.#entries.set(webhookId, loading);
    loading.catch(() => {
      if (this.#entries.peek(webhookId) === loading) this.#entries.delete(webhookId); // a failed read is not an answer to keep
    });
    return await loading;
  }
}

const WORDS = { tokens: 'tokens', cost: 'money', runs: 'runs' } as const;

/** The refusal that ends an execution. It says no numbers: whoever may see them asks the admin API. */
export function capReached(what: keyof typeof WORDS): AppError {
  return new AppError(
    'SPEND_CAP_REACHED',
    `The webhook has used up its ${WORDS[what]} of this day (UTC). Raise its spend cap, or wait for tomorrow.`,
  );
}

async function readCap(sql: Sql, webhookId: string): Promise<SpendCap | 'none'> {
  return (await readSpendCaps(sql, [webhookId])).get(webhookId) ?? 'none';
}

interface CapRow {
  readonly webhookId: string;
  readonly tokensPerDay: string | null;
  readonly costNanosPerDay: string | null;
  readonly runsPerDay: string | null;
}

/** Reads the caps of some webhooks; those without one are not in the map. */
export async function readSpendCaps(sql: Sql, webhookIds: readonly string[]): Promise<Map<string, SpendCap>> {
  const { rows } = await sql.query<CapRow>({
    name: 'read-spend-caps',
    text: `select webhook_id as "webhookId", tokens_per_day as "tokensPerDay", cost_nanos_per_day as "costNanosPerDay",
      runs_per_day as "runsPerDay" from spend_caps where webhook_id = any($1::uuid[])`,
    values: [webhookIds],
  });
  return new Map(
    rows.map(({ webhookId, tokensPerDay, costNanosPerDay, runsPerDay }) => [
      webhookId,
      {
        tokensPerDay: tokensPerDay === null ? null : Number(tokensPerDay),
        costNanosPerDay: costNanosPerDay === null ? null : BigInt(costNanosPerDay),
        runsPerDay: runsPerDay === null ? null : Number(runsPerDay),
      },
    ]),
  );
}
