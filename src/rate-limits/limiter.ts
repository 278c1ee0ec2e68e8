import type { Database } from '../db/database.js';
import type { EventHub } from '../events/event-hub.js';
import { type Clock, systemClock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import type { LimitDefaults } from './limit-scope.js';
import { RateLimitPolicies } from './policies.js';
import { Quota } from './quota.js';
import { WINDOW_MS, WindowStore } from './window-store.js';

/** Why a call may not pass now. */
export interface LimitRefusal {
  readonly policy: 'global' | 'user' | 'webhook';
  readonly perMinute: number;
  /** When the window ends, milliseconds from now. */
  readonly retryAfterMs: number;
  readonly windowMs: 60_000;
}

export type LimitDecision = { readonly allowed: true } | { readonly allowed: false; readonly refusal: LimitRefusal };

/** Whose call it is; UUIDs. */
export interface LimitSubject {
  readonly webhookId: string;
  readonly ownerId: string;
}

export interface CallLimiterOptions {
  readonly database: Pick<Database, 'pool'>;
  readonly hub: EventHub;
  readonly log: Logger;
  readonly defaults: LimitDefaults;
  readonly clock?: Clock;
}

interface AppliedQuota {
  readonly policy: LimitRefusal['policy'];
  readonly quota: Quota;
}

const ALLOWED: LimitDecision = { allowed: true };

/**
 * Counts calls against the global limit, the limit of the webhook's owner and the limit of the webhook, over all
 * processes together. A call passes when all three have room; one that is refused takes nothing from any of them.
 *
 * In a window never more calls pass than the limit, and at most 0.75 % fewer for each process that stopped receiving
 * calls while it held some. The exception is the end of a window on a clock that is behind: calls in hand are then
 * spent a little too late, no more than those 0.75 %. Windows are fixed, so two of them can be spent around the moment
 * where they meet.
 */
export class CallLimiter {
  readonly #clock: Clock;
  readonly #store: WindowStore;
  readonly #policies: RateLimitPolicies;
  readonly #quotas = new Map<string, Quota>();
  readonly #sweep: NodeJS.Timeout;

  constructor({ database, hub, log, defaults, clock = systemClock }: CallLimiterOptions) {
    this.#clock = clock;
    this.#store = new WindowStore(database.pool, log);
    this.#policies = new RateLimitPolicies({ sql: database.pool, hub, defaults, log });
    this.#sweep = setInterval(() => this.#dropIdle(), WINDOW_MS);
    this.#sweep.unref();
  }

  /**
   * Decides about one call, at once while this process has calls in hand or knows that a window is exhausted. Never
   * rejects: without the database each process keeps to the limits by itself.
   */
  take(subject: LimitSubject): LimitDecision | Promise<LimitDecision> {
    return (this.#policies.isReady && this.#decide(this.#quotasOf(subject))) || this.#takeLater(subject);
  }

  /** Gives back what this process holds, for the others to spend. */
  async close(): Promise<void> {
    clearInterval(this.#sweep);
    await this.#policies.close();
    await Promise.all(Array.from(this.#quotas.values(), (quota) => quota.close()));
    this.#store.close();
  }

  async #takeLater(subject: LimitSubject): Promise<LimitDecision> {
    await this.#policies.ready;
    for (;;) {
      // Looked up in each round: the numbers may change while a lease is under way.
      const quotas = this.#quotasOf(subject);
      const decision = this.#decide(quotas);
      if (decision !== undefined) return decision;
      const nowMs = this.#clock.monotonicMs();
      const unknown = quotas.filter(({ quota }) => quota.state(nowMs) === 'unknown');
      await Promise.all(unknown.map(({ quota }) => quota.leased()));
    }
  }

  /** Takes from all quotas or from none; `undefined` when one of them needs a lease first. */
  #decide(quotas: readonly AppliedQuota[]): LimitDecision | undefined {
    const nowMs = this.#clock.monotonicMs();
    let refusal: LimitRefusal | undefined;
    let unknown = false;
    for (const { policy, quota } of quotas) {
      const state = quota.state(nowMs);
      if (state === 'unknown') unknown = true;
      if (state !== 'exhausted') continue;
      const retryAfterMs = quota.retryAfterMs(nowMs);
      // Of several, the one that keeps the caller out longest.
      if (refusal === undefined || retryAfterMs > refusal.retryAfterMs) {
        refusal = { policy, perMinute: quota.perMinute, retryAfterMs, windowMs: WINDOW_MS };
      }
    }
    if (refusal !== undefined) return { allowed: false, refusal };
    if (unknown) return undefined;
    for (const { quota } of quotas) quota.takeOne();
    return ALLOWED;
  }

  #quotasOf({ webhookId, ownerId }: LimitSubject): AppliedQuota[] {
    const policies = this.#policies;
    const quotas: AppliedQuota[] = [];
    const apply = (policy: LimitRefusal['policy'], key: string, perMinute: number): void => {
      if (perMinute > 0) quotas.push({ policy, quota: this.#quota(key, perMinute) });
    };
    apply('global', 'global', policies.perMinute('GLOBAL'));
    apply('user', `user:${ownerId}`, policies.perMinute('USER', ownerId));
    apply('webhook', `webhook:${webhookId}`, policies.perMinute('WEBHOOK', webhookId));
    return quotas;
  }

  #quota(key: string, perMinute: number): Quota {
    const known = this.#quotas.get(key);
    if (known !== undefined) {
      known.perMinute = perMinute;
      return known;
    }
    const quota = new Quota({ store: this.#store, key, clock: this.#clock, perMinute });
    this.#quotas.set(key, quota);
    return quota;
  }

  #dropIdle(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [key, quota] of this.#quotas) if (quota.isIdle(nowMs)) this.#quotas.delete(key);
  }
}
