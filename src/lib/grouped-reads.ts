export interface GroupedReadsOptions<Value> {
  /** Reads several keys in one statement; those that are not there are not in the map. */
  readonly read: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>;
}

/** A statement asks for this many keys at most; the rest is left to the next one. */
const KEYS_MAX = 1_000;

/**
 * Group commit's counterpart for readers: whoever asks while a statement is under way shares the next one, and asking
 * for the same key shares its row. However many ask, the database answers one statement after another.
 *
 * A read begins after it was asked for, so it sees whatever was committed before that.
 *
 * States: IDLE → get → READING (one statement under way, others gather) → done → READING again when something was asked
 * for, else IDLE.
 */
export class GroupedReads<Value> {
  readonly #options: GroupedReadsOptions<Value>;
  readonly #asked = new Map<string, PromiseWithResolvers<Value | undefined>>();
  #isReading = false;

  constructor(options: GroupedReadsOptions<Value>) {
    this.#options = options;
  }

  /** @returns `undefined` when there is no such row; rejects with what the statement failed by. */
  get(key: string): Promise<Value | undefined> {
    let asked = this.#asked.get(key);
    if (asked === undefined) {
      asked = Promise.withResolvers();
      this.#asked.set(key, asked);
      if (!this.#isReading) void this.#run();
    }
    return asked.promise;
  }

  async #run(): Promise<void> {
    this.#isReading = true;
    // What is asked in the same turn of the event loop is read by the first statement.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#asked.size > 0) await this.#readGroup([...this.#asked].slice(0, KEYS_MAX));
    this.#isReading = false; // in the same turn as the last look, so that nothing falls between
  }

  async #readGroup(group: readonly (readonly [string, PromiseWithResolvers<Value | undefined>])[]): Promise<void> {
    for (const [key] of group) this.#asked.delete(key);
    try {
      const values = await this.#options.read(group.map(([key]) => key));
      for (const [key, asked] of group) asked.resolve(values.get(key));
    } catch (error) {
      for (const [, asked] of group) asked.reject(error);
    }
  }
}
