import type { Clock } from './clock.js';
import type { Logger } from './logger.js';

export interface SparseLogOptions {
  readonly log: Logger;
  readonly clock: Clock;
}

const ONCE_IN_MS = 1_000;

/**
 * Logs what fails in every request while something is away: the first failure of a second, and with the next line how
 * many were passed over. Whoever sends more requests must not fill the disk with lines.
 */
export class SparseLog {
  readonly #options: SparseLogOptions;
  #loggedMs = Number.NEGATIVE_INFINITY;
  #passedOver = 0;

  constructor(options: SparseLogOptions) {
    this.#options = options;
  }

  error(error: unknown, message: string): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#loggedMs < ONCE_IN_MS) {
      this.#passedOver += 1;
      return;
    }
    const passedOver = this.#passedOver;
    this.#options.log.error({ err: error, ...(passedOver > 0 && { passedOver }) }, message);
    this.#loggedMs = nowMs;
    this.#passedOver = 0;
  }
}
