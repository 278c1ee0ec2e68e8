/** Which page of a list, the newest first. A place in it is an id, unless the list says otherwise. */
export interface KeysetRequest<Place = string> {
  /** The most items. */
  readonly limit: number;
  /** From the back: the last ones before `before`. */
  readonly fromEnd: boolean;
  /** Only what comes behind this place in the list: older things. */
  readonly after?: Place | undefined;
  /** Only what comes before this place in the list: newer things. */
  readonly before?: Place | undefined;
}

/** A page in the order of the list. */
export interface KeysetPage<T> {
  readonly items: readonly T[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
}

/**
 * Makes a page of what a query found.
 *
 * @param rows at most one more than the limit, in the order in which they were read: from the back if that was asked.
 */
export function keysetPage<T>(
  { limit, fromEnd, after, before }: KeysetRequest<unknown>,
  rows: readonly T[],
): KeysetPage<T> {
  const more = rows.length > limit;
  const items = rows.slice(0, limit);
  return {
    items: fromEnd ? items.toReversed() : items,
    hasNextPage: fromEnd ? before !== undefined : more,
    hasPreviousPage: fromEnd ? more : after !== undefined,
  };
}

/** The conditions of a query and their values, numbered as they come. */
export class Conditions {
  readonly values: unknown[] = [];
  readonly #texts: string[];

  /** @param always what holds in any case, without a value. */
  constructor(...always: readonly string[]) {
    this.#texts = [...always];
  }

  /** A value's place in the statement, such as `$3`. */
  place(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }

  /** Adds a condition on a value, unless the value is undefined. A text with U+0000 is in no row: PostgreSQL has none. */
  add(value: unknown, condition: (place: string) => string): void {
    if (value === undefined) return;
    const isNowhere = typeof value === 'string' && value.includes('\0');
    this.#texts.push(isNowhere ? 'false' : condition(this.place(value)));
  }

  get text(): string {
    return this.#texts.length === 0 ? 'true' : this.#texts.join(' and ');
  }
}
