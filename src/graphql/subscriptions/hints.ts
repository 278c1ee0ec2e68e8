import type { Topic } from '../../events/event.js';
import type { EventHub } from '../../events/event-hub.js';

/** What was heard since the last look. */
export interface Heard {
  readonly callIds: readonly string[];
  readonly executionIds: readonly string[];
  /** Events may have been missed: what can be told only by them has to be read. */
  readonly resync: boolean;
}

/** More than this is not kept by name: it is read again as a whole. */
const NAMES_MAX = 1_000;

/**
 * Collects what the hub says of calls and executions while the subscriber is busy, so that it reads once for all of it however slow
 * its client is.
 */
export class Hints {
  #callIds = new Set<string>();
  #executionIds = new Set<string>();
  #resync = false;
  #heard = false;
  #closed = false;
  #wake: (() => void) | undefined;
  readonly #stop: () => void;

  /** Listens from now on. */
  constructor(hub: EventHub, topics: readonly Topic[]) {
    this.#stop = hub.listen(topics, (notification) => {
      this.#heard = true;
      if ('callId' in notification) this.#callIds.add(notification.callId);
      else if (notification.kind === 'resync') this.#resync = true;
      if ('executionId' in notification) this.#executionIds.add(notification.executionId);
      if (this.#callIds.size > NAMES_MAX || this.#executionIds.size > NAMES_MAX) {
        this.#callIds.clear();
        this.#executionIds.clear();
        this.#resync = true;
      }
      this.#wake?.();
    });
  }

  /** Waits until something was heard, and forgets it; `undefined` when this was closed. */
  async take(): Promise<Heard | undefined> {
    while (!this.#heard && !this.#closed) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#closed ? undefined : this.forget();
  }

  /** Forgets what was heard until now, because it is about to be read. */
  forget(): Heard {
    const heard = { callIds: [...this.#callIds], executionIds: [...this.#executionIds], resync: this.#resync };
    this.#callIds = new Set();
    this.#executionIds = new Set();
    this.#resync = false;
    this.#heard = false;
    return heard;
  }

  /** Whether this was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Waits this long, or until this is closed. */
  async pause(ms: number): Promise<void> {
    if (ms <= 0 || this.#closed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        if (!this.#closed) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  close(): void {
    this.#closed = true;
    this.#stop();
    this.#wake?.();
  }
}
