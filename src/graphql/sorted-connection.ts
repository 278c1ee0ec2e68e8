import type { KeysetPage } from '../db/keyset.js';
import type { SortedRow, SortOrder } from '../db/sorted-list.js';
import type { Page } from './connections.js';

/** The description of the argument that chooses one of a list's orders. */
export const ORDER_BY = 'In which order; a cursor is of one order.';

export function sortOrder<Field extends string>(orderBy: {
  readonly field: Field;
  readonly direction: 'ASC' | 'DESC';
}): SortOrder<Field> {
  return { field: orderBy.field, descending: orderBy.direction === 'DESC' };
}

/** Makes a connection's page of a page of a list that can be had in several orders. */
export function sortedConnection<View, T>(
  { items, ...more }: KeysetPage<SortedRow<View>>,
  toNode: (view: View) => T,
  count: () => Promise<number>,
): Page<T> {
  return { ...more, edges: items.map(({ cursor, row }) => ({ cursor, node: toNode(row) })), count };
}
