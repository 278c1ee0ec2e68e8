import type { Clock } from '../lib/clock.js';
import { Quota } from '../rate-limits/quota.js';
import { WINDOW_MS, type WindowStore } from '../rate-limits/window-store.js';
import type { CallableModel } from './model-cache.js';

/** Nothing is corrected so near a window's end: it could arrive in the next one. */
const CORRECT_MS_MIN = 1_500;

/** Tokens that were counted ahead of a step. */
export interface CountedAhead {
  readonly tokens: number;
  /** When their window ends, on the monotonic clock. */
  readonly endsAtMs: number;
}

/**
 * A model's requests and tokens a minute, over all processes together, in the windows of the ingress's limits.
 *
 * Requests are leased ahead, a part of the window at a time, so that most cost no round trip; never more pass in a
 * window than the limit. Tokens are known only afterwards: each step counts an estimate, in one round trip, and corrects
 * it when it ends. A step larger than the whole limit passes in an empty window.
 */
export class MinuteLimits {
  readonly #store: WindowStore;
  readonly #clock: Clock;
  readonly #quotas = new Map<string, Quota>();
  /** Until when a model's window of tokens is known to be full, on the monotonic clock. */
  readonly #fullUntilMs = new Map<string, number>();

  constructor(store: WindowStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Counts one request. @returns milliseconds until the window ends when there is none left; 0 when it may go. */
  async takeRequest({ id, requestsPerMinute }: CallableModel): Promise<number> {
    if (requestsPerMinute === 0) return 0;
    const quota = this.#quotaOf(id, requestsPerMinute);
    for (;;) {
      const nowMs = this.#clock.monotonicMs();
      switch (quota.state(nowMs)) {
        case 'ready':
          quota.takeOne();
          return 0;
        case 'exhausted':
          return quota.retryAfterMs(nowMs);
        case 'unknown':
          await quota.leased();
      }
    }
  }

  /** Counts tokens ahead. @returns milliseconds until the window ends when there is no room for them. */
  async takeTokens({ id, tokensPerMinute }: CallableModel, tokens: number): Promise<CountedAhead | number | undefined> {
    if (tokensPerMinute === 0) return undefined;
    const nowMs = this.#clock.monotonicMs();
    const fullForMs = (this.#fullUntilMs.get(id) ?? 0) - nowMs;
    if (fullForMs > 0) return fullForMs;
    const { countedBefore, endsInMs } = await this.#store.lease(tokensKey(id), tokens);
    const endsAtMs = this.#clock.monotonicMs() + Math.min(endsInMs, WINDOW_MS);
    if (countedBefore === 0 || countedBefore + tokens <= tokensPerMinute) return { tokens, endsAtMs };
    if (endsInMs > CORRECT_MS_MIN) await this.#store.giveBack(tokensKey(id), tokens);
    if (countedBefore >= tokensPerMinute) this.#fullUntilMs.set(id, endsAtMs);
    return Math.max(1, endsInMs);
  }

  /** Corrects what was counted ahead to what it came to, while its window lasts. */
  async correctTokens(modelId: string, ahead: CountedAhead | undefined, tokens: number): Promise<void> {
    if (ahead === undefined || ahead.endsAtMs - this.#clock.monotonicMs() < CORRECT_MS_MIN) return;
    const more = tokens - ahead.tokens;
    if (more > 0) await this.#store.lease(tokensKey(modelId), more);
    else if (more < 0) await this.#store.giveBack(tokensKey(modelId), -more);
    if (more < 0) this.#fullUntilMs.delete(modelId);
  }

  /** Gives back what this process holds, for the others to spend. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#quotas.values(), (quota) => quota.close()));
    this.#store.close();
  }

  #quotaOf(modelId: string, perMinute: number): Quota {
    const known = this.#quotas.get(modelId);
    if (known !== undefined) {
      known.perMinute = perMinute;
      return known;
    }
    const quota = new Quota({ store: this.#store, key: `model:${modelId}`, clock: this.#clock, perMinute });
    this.#quotas.set(modelId, quota);
    return quota;
  }
}

function tokensKey(modelId: string): string {
  return `model-tokens:${modelId}`;
}
