import { AppError } from '../errors.js';
import { type ConnectionArgs, type Page, pageRequest } from './connections.js';
import { printCursor, readCursor } from './cursor.js';

/**
 * Cuts a page out of a list that is read as a whole, because it is short.
 *
 * @param keyOf a text that no two items share.
 * @throws AppError BAD_USER_INPUT for a page that makes no sense, or a cursor whose item is gone.
 */
export function pageOfAll<T>(items: readonly T[], keyOf: (item: T) => string, args: ConnectionArgs): Page<T> {
  const { limit, fromEnd, after, before } = pageRequest(args);
  const indexOf = (cursor: string): number => {
    const [key] = readCursor(cursor, 1);
    const index = items.findIndex((item) => keyOf(item) === key);
    if (index === -1) throw new AppError('BAD_USER_INPUT', 'This is not a cursor of this list.');
    return index;
  };
  const from = after === undefined ? 0 : indexOf(after) + 1;
  const to = before === undefined ? items.length : indexOf(before);
  const range = items.slice(from, Math.max(from, to));
  const cutAt = Math.max(0, range.length - limit);
  const page = fromEnd ? range.slice(cutAt) : range.slice(0, limit);
  const more = range.length > page.length;
  return {
    edges: page.map((node) => ({ cursor: printCursor([keyOf(node)]), node })),
    hasNextPage: fromEnd ? to < items.length : more,
    hasPreviousPage: fromEnd ? more : from > 0,
    count: () => Promise.resolve(items.length),
  };
}
