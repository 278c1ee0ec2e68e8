import type { Sql } from '../db/database.js';
import type { Logger } from '../lib/logger.js';
import type { StepTokens } from './cost.js';

/** How long a lease holds when its process doesn't renew it: as long as a runner may be silent. */
const LEASE_MS = 20_000;

const RENEW_MS = 5_000;

/** What a step is to hold; ids are UUIDs. */
export interface WantedLease {
  readonly stepId: string;
  readonly modelId: string;
  readonly webhookId: string;
  readonly tokens: Pick<StepTokens, 'promptTokens' | 'completionTokens'>;
  readonly costNanos: bigint;
}

/**
 * `busy`: as many steps as the model takes at once are under way. `wait`: what is left of the webhook's day is held by
 * steps under way. `tokens`, `cost`: the webhook's day is spent.
 */
export type LeaseAnswer = 'admitted' | 'busy' | 'wait' | 'tokens' | 'cost';

/**
 * The steps that this process has under way, where they are counted across processes: for models with a limit of
 * concurrency and webhooks with a cap. One round trip takes a lease; the step's settlement ends it.
 */
export class StepLeases {
  readonly #sql: Sql;
  readonly #log: Logger;
  readonly #held = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(sql: Sql, log: Logger) {
    this.#sql = sql;
    this.#log = log;
  }

  async take({ stepId, modelId, webhookId, tokens, costNanos }: WantedLease): Promise<LeaseAnswer> {
    const { rows } = await this.#sql.query<{ answer: LeaseAnswer }>({
      name: 'admit-step',
      text: 'select workhook_admit_step($1, $2, $3, $4, $5, $6) as answer',
      values: [
        stepId,
        modelId,
        webhookId,
        tokens.promptTokens + tokens.completionTokens,
        costNanos.toString(),
        LEASE_MS,
      ],
    });
    const { answer } = rows[0]!;
    if (answer === 'admitted') {
      this.#held.add(stepId);
      this.#timer ??= setInterval(() => void this.#renew(), RENEW_MS).unref();
    }
    return answer;
  }

  /** The step has ended and its settlement has removed the lease. */
  settled(stepId: string): void {
    this.#held.delete(stepId);
    if (this.#held.size === 0) this.close();
  }

  /** Ends a lease of a step that was not made or cost nothing. Never rejects: it ends by itself after a while. */
  async release(stepId: string): Promise<void> {
    if (!this.#held.has(stepId)) return;
    this.settled(stepId);
    await this.#sql
      .query('delete from model_leases where id = $1', [stepId])
      .catch((error: unknown) => this.#log.warn({ err: error }, 'the lease of a model could not be ended'));
  }

  /** Renews no more. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #renew(): Promise<void> {
    try {
      await this.#sql.query(
        `update model_leases set expires_at = clock_timestamp() + $2 * interval '1 millisecond'
         where id = any($1::uuid[])`,
        [[...this.#held], LEASE_MS],
      );
    } catch (error) {
      this.#log.warn({ err: error }, 'the leases of models could not be renewed');
    }
  }
}

/** Removes what dead processes left of models that nobody has asked since; such leases count nowhere any more. */
export async function removeForgottenLeases(sql: Sql): Promise<void> {
  await sql.query("delete from model_leases where expires_at < now() - interval '1 hour'");
}
