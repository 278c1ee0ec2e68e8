import type { Clock } from '../lib/clock.js';
import { WINDOW_MS, type WindowStore } from './window-store.js';

/** A lease is at most this part of the limit; with what is fetched ahead a process holds 0.75 % of it at most. */
const LEASES_A_LIMIT = 200;

/** A lease that was spent sooner doubles the next one. */
const SPENT_FAST_MS = 200;

/** A lease that lasted longer halves the next one. */
const SPENT_SLOWLY_MS = 2_000;

/** Two leases of one window differ by the time between two clock readings in what they say about its end. */
const SAME_WINDOW_MS = 1_000;

/** Nothing is given back to a window so near its end: it could arrive in the next one. */
const GIVE_BACK_MS_MIN = 1_500;

export interface QuotaOptions {
  readonly store: WindowStore;
  /** The limit's key in the store. */
  readonly key: string;
  readonly clock: Clock;
  readonly perMinute: number;
}

/**
 * One limit as one process sees it: it leases a part of the window's calls from the store and spends them without
 * asking again.
 *
 * A window is OPEN while the store may have more, and DRAINED from the first lease that was cut short until it ends.
 * Calls in hand are spent in either; without any, an open window needs a lease and a drained one is exhausted.
 */
export class Quota {
  readonly #options: QuotaOptions;
  #perMinute: number;
  #inHand = 0;
  #drained = false;
  /** Monotonic milliseconds. */
  #endsAtMs = 0;
  /** What the last lease said of the end; a later one that says something else is of another window. */
  #windowEndsAtMs = 0;
  #leaseCalls = 1;
  #leasedAtMs = Number.NEGATIVE_INFINITY;
  #leasing: Promise<void> | undefined;
  #waiting = 0;

  constructor(options: QuotaOptions) {
    this.#options = options;
    this.#perMinute = options.perMinute;
  }

  get perMinute(): number {
    return this.#perMinute;
  }

  /** A new number takes effect at once: what is in hand goes back, and the store is asked anew. */
  set perMinute(perMinute: number) {
    if (perMinute === this.#perMinute) return;
    this.#perMinute = perMinute;
    void this.giveBack();
    this.#drained = false;
  }

  /** `ready`: one call can be taken now. `exhausted`: none until the window ends. `unknown`: see {@link leased}. */
  state(nowMs: number): 'ready' | 'exhausted' | 'unknown' {
    if (nowMs >= this.#endsAtMs) {
      this.#inHand = 0;
      this.#drained = false;
    }
    if (this.#inHand > 0) return 'ready';
    return this.#drained ? 'exhausted' : 'unknown';
  }

  /** Takes one call; only when the state is `ready`. Fetches ahead, so that a steady stream never waits. */
  takeOne(): void {
    this.#inHand -= 1;
    const runsLow = this.#leaseCalls > 1 && this.#inHand <= this.#leaseCalls / 2;
    if (runsLow && !this.#drained) this.#leasing ??= this.#lease();
  }

  /** Resolves when a lease has come in, after which the state is to be looked at again. Never rejects. */
  async leased(): Promise<void> {
    this.#waiting += 1;
    try {
      await (this.#leasing ??= this.#lease());
    } finally {
      this.#waiting -= 1;
    }
  }

  retryAfterMs(nowMs: number): number {
    return Math.max(1, Math.ceil(this.#endsAtMs - nowMs));
  }

  /** Nobody has used it for a whole window. */
  isIdle(nowMs: number): boolean {
    return this.#leasing === undefined && nowMs >= this.#endsAtMs + WINDOW_MS;
  }

  /** Returns what is in hand to the others. Resolves when that is done. */
  async giveBack(): Promise<void> {
    const { store, key, clock } = this.#options;
    const calls = this.#inHand;
    this.#inHand = 0;
    if (calls > 0 && this.#endsAtMs - clock.monotonicMs() > GIVE_BACK_MS_MIN) await store.giveBack(key, calls);
  }

  /** Waits for a lease under way, then {@link giveBack}. */
  async close(): Promise<void> {
    await this.#leasing;
    await this.giveBack();
  }

  async #lease(): Promise<void> {
    const { store, key, clock } = this.#options;
    try {
      this.#adapt(clock.monotonicMs());
      // Those who wait are served with one lease, not with one each.
      const asked = Math.max(1, Math.min(Math.max(this.#leaseCalls, this.#waiting), this.#perMinute));
      const { countedBefore, endsInMs } = await store.lease(key, asked);
      const nowMs = clock.monotonicMs();
      this.#enterWindow(nowMs, endsInMs);
      const granted = Math.max(0, Math.min(asked, this.#perMinute - countedBefore));
      this.#inHand += granted;
      if (granted === asked) return;
      this.#drained = true;
      // Else what was counted and not granted would be missing when the limit is raised.
      if (endsInMs > GIVE_BACK_MS_MIN) await store.giveBack(key, asked - granted);
    } finally {
      this.#leasing = undefined;
    }
  }

  #adapt(nowMs: number): void {
    const lastedMs = nowMs - this.#leasedAtMs;
    const calls = lastedMs < SPENT_FAST_MS ? this.#leaseCalls * 2 : this.#leaseCalls;
    const callsMax = Math.floor(this.#perMinute / LEASES_A_LIMIT);
    this.#leaseCalls = Math.max(1, Math.min(callsMax, lastedMs > SPENT_SLOWLY_MS ? Math.ceil(calls / 2) : calls));
    this.#leasedAtMs = nowMs;
  }

  #enterWindow(nowMs: number, endsInMs: number): void {
    const windowEndsAtMs = nowMs + endsInMs;
    const isNew = nowMs >= this.#endsAtMs || windowEndsAtMs > this.#windowEndsAtMs + SAME_WINDOW_MS;
    if (isNew) {
      this.#inHand = 0;
      this.#drained = false;
    }
    this.#windowEndsAtMs = windowEndsAtMs;
    this.#endsAtMs = nowMs + Math.min(endsInMs, WINDOW_MS); // of another's clock that is ahead, no more than our own
  }
}
