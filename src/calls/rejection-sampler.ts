/** Rows a second of one webhook: what a person looks at. */
const A_SECOND_A_WEBHOOK_MAX = 20;

/** Rows a minute of one webhook: a flood that lasts a day leaves 288,000 rows, not 1.7 million. */
const A_MINUTE_A_WEBHOOK_MAX = 200;

/** Rows a second of all webhooks together, in one process. */
const A_SECOND_MAX = 500;

/** Explanations a second of one webhook, and of all together: each takes some milliseconds. */
const EXPLAINED_A_SECOND_A_WEBHOOK_MAX = 2;
const EXPLAINED_A_SECOND_MAX = 10;

/** Decides which rejected calls are kept as rows, and which of those get a precise reason. Counting needs no sample. */
export class RejectionSampler {
  readonly #second = new Window(1_000);
  readonly #minute = new Window(60_000);
  readonly #explained = new Window(1_000);

  /** @param nowMs when the call came. */
  keeps(webhookId: string, nowMs: number): boolean {
    const second = this.#second.at(nowMs);
    const minute = this.#minute.at(nowMs);
    if (second.total >= A_SECOND_MAX || second.of(webhookId) >= A_SECOND_A_WEBHOOK_MAX) return false;
    if (minute.of(webhookId) >= A_MINUTE_A_WEBHOOK_MAX) return false;
    second.add(webhookId);
    minute.add(webhookId);
    return true;
  }

  /** To be asked for a call that is kept. */
  explains(webhookId: string, nowMs: number): boolean {
    const second = this.#explained.at(nowMs);
    if (second.total >= EXPLAINED_A_SECOND_MAX || second.of(webhookId) >= EXPLAINED_A_SECOND_A_WEBHOOK_MAX)
      return false;
    second.add(webhookId);
    return true;
  }
}

/** Counts by webhook within a fixed span of time; forgotten when the next one begins. */
class Window {
  readonly #spanMs: number;
  readonly #counts = new Map<string, number>();
  #span = 0;
  #total = 0;

  constructor(spanMs: number) {
    this.#spanMs = spanMs;
  }

  get total(): number {
    return this.#total;
  }

  at(nowMs: number): this {
    const span = Math.floor(nowMs / this.#spanMs);
    if (span !== this.#span) {
      this.#span = span;
      this.#total = 0;
      this.#counts.clear();
    }
    return this;
  }

  of(webhookId: string): number {
    return this.#counts.get(webhookId) ?? 0;
  }

  add(webhookId: string): void {
    this.#total += 1;
    this.#counts.set(webhookId, this.of(webhookId) + 1);
  }
}
