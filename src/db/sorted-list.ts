import { AppError } from '../errors.js';
import type { Sql } from './database.js';
import { type Conditions, keysetPage, type KeysetPage, type KeysetRequest } from './keyset.js';

/** What a list can be in order of. Two rows can have the same: behind it the id decides. */
export interface SortKey {
  /** An expression over the row. */
  readonly sql: string;
  /** The same as text, as a cursor carries it. */
  readonly text: string;
  /** Makes it of the text again, at a place of the statement such as `$3`. */
  readonly parse: (place: string) => string;
  readonly pattern: RegExp;
}

/** In microseconds: two things can be made in one millisecond, and a cursor must stand between them. */
export const byTime = (column: string): SortKey => ({
  sql: column,
  text: `(extract(epoch from ${column}) * 1000000)::bigint::text`,
  parse: (place) => `timestamptz 'epoch' + ${place}::bigint * interval '1 microsecond'`,
  pattern: /^\d{1,17}$/,
});

/** Whatever the case. By code points: an order that an upgrade of the system's locales cannot change under a cursor. */
export const byName = (column: string): SortKey => ({
  sql: `lower(${column}) collate "C"`,
  text: `lower(${column})`,
  parse: (place) => `${place}::text`,
  pattern: /^[^\0]*$/,
});

/** A list that can be had in several orders. */
export interface SortedList<Field extends string> {
  readonly keys: Readonly<Record<Field, SortKey>>;
  /** The column that tells the rows apart; its values are aliased as `id` in what is selected. */
  readonly idColumn: string;
  readonly idType: 'uuid' | 'text';
}

export interface SortOrder<Field extends string> {
  readonly field: Field;
  readonly descending: boolean;
}

/** Which rows, and what of them: `select` has an `id`. */
export interface SortedQuery<Field extends string> {
  readonly select: string;
  readonly from: string;
  readonly where: Conditions;
  readonly order: SortOrder<Field>;
  /** Its places are cursors. */
  readonly page: KeysetRequest;
}

export interface SortedRow<Row> {
  readonly cursor: string;
  readonly row: Row;
}

const ID_PATTERNS = { uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, text: /^[^\0]+$/ };

/**
 * Reads a page of a list in one of its orders.
 *
 * @throws AppError BAD_USER_INPUT for a cursor that is not of this list, or of another order.
 */
export async function readSorted<Row extends { readonly id: string }, Field extends string>(
  sql: Sql,
  list: SortedList<Field>,
  { select, from, where, order, page }: SortedQuery<Field>,
): Promise<KeysetPage<SortedRow<Row>>> {
  const { idColumn, idType } = list;
  const key = list.keys[order.field];
  const beyond = (cursor: string | undefined, sign: '<' | '>'): void => {
    const place = cursor === undefined ? undefined : readCursor(list, order.field, cursor);
    if (place === undefined) return;
    const id = where.place(place.id);
    where.add(place.key, (at) => `(${key.sql}, ${idColumn}) ${sign} (${key.parse(at)}, ${id}::${idType})`);
  };
  beyond(page.after, order.descending ? '<' : '>');
  beyond(page.before, order.descending ? '>' : '<');
  const direction = page.fromEnd === order.descending ? 'asc' : 'desc';
  const { rows } = await sql.query<Row & { readonly sort_key: string }>(
    `select ${key.text} as sort_key, ${select} from ${from} where ${where.text}
     order by ${key.sql} ${direction}, ${idColumn} ${direction} limit ${where.place(page.limit + 1)}`,
    where.values,
  );
  return keysetPage(
    page,
    rows.map((row) => ({ cursor: printCursor(order.field, row), row })),
  );
}

/** It names the order, so that it is not taken for a place in another one. */
function printCursor(field: string, row: { readonly sort_key: string; readonly id: string }): string {
  return Buffer.from(JSON.stringify([field, row.sort_key, row.id])).toString('base64url');
}

function readCursor<Field extends string>(
  { keys, idType }: SortedList<Field>,
  field: Field,
  cursor: string,
): { readonly key: string; readonly id: string } {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    const [order, key, id] = Array.isArray(parts) ? (parts as unknown[]) : [];
    const isText = typeof key === 'string' && typeof id === 'string' && key.isWellFormed() && id.isWellFormed();
    if (order === field && isText && keys[field].pattern.test(key) && ID_PATTERNS[idType].test(id)) return { key, id };
  } catch {
    // said below
  }
  throw new AppError('BAD_USER_INPUT', 'This is not a cursor of this list, or of another order.');
}
