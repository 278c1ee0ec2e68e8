import type { KeysetPage, KeysetRequest } from '../db/keyset.js';
import { parseId, type IdKind } from '../lib/ids.js';
import { AppError } from '../errors.js';
import { type ConnectionArgs, type Page, pageRequest } from './connections.js';

/** The kinds of thing that are listed by their id: their cursors are their ids. */
type ListedKind = Extract<
  IdKind,
  'call' | 'execution' | 'user' | 'connection' | 'callback' | 'bulkOperation' | 'model' | 'alert'
>;

/** Reads a page of a list by id. @throws AppError BAD_USER_INPUT for a page that makes no sense. */
export function keysetRequest(kind: ListedKind, args: ConnectionArgs): KeysetRequest {
  const { limit, fromEnd, after, before } = pageRequest(args);
  return { limit, fromEnd, after: readPlace(kind, after), before: readPlace(kind, before) };
}

function readPlace(kind: ListedKind, cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  const id = parseId(kind, cursor);
  if (id === undefined) throw new AppError('BAD_USER_INPUT', 'This is not a cursor of this list.');
  return id;
}

/** Makes a connection's page of what was read. */
export function keysetConnection<View, T extends { readonly id: string }>(
  page: KeysetPage<View>,
  toNode: (view: View) => T,
  count: () => Promise<number>,
): Page<T> {
  const { items, hasNextPage, hasPreviousPage } = page;
  const edges = items.map(toNode).map((node) => ({ cursor: node.id, node }));
  return { edges, hasNextPage, hasPreviousPage, count };
}
