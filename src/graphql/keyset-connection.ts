import type { KeysetPage, KeysetRequest } from '../db/keyset.js';
import { parseId, type IdKind } from '../lib/ids.js';
import { AppError } from '../errors.js';
import { ArgsType, Field } from 'type-graphql';
import { ConnectionArgs, type Page, pageRequest } from './connections.js';
import { ListOrder, type ListOrderName } from './types/enums.js';

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

/** What lists take that can be had in both orders. */
@ArgsType()
export class ListedArgs extends ConnectionArgs {
  @Field(() => ListOrder, { defaultValue: 'NEWEST_FIRST', description: 'In which order.' })
  order!: ListOrderName;
}

/**
 * Reads a page of a list by id in the order that was asked for. The list with the oldest first is the other one read
 * from its other end, so its cursors are the same, and good for both.
 *
 * @param read reads a page of the list with the newest first.
 */
export async function listedPage<View>(
  kind: ListedKind,
  args: ListedArgs,
  read: (request: KeysetRequest) => Promise<KeysetPage<View>>,
): Promise<KeysetPage<View>> {
  return await inOrder(args.order, keysetRequest(kind, args), read);
}

/** The same for a list whose places are no ids. */
export async function inOrder<View, Place>(
  order: ListOrderName,
  request: KeysetRequest<Place>,
  read: (request: KeysetRequest<Place>) => Promise<KeysetPage<View>>,
): Promise<KeysetPage<View>> {
  if (order === 'NEWEST_FIRST') return await read(request);
  const { limit, fromEnd, after, before } = request;
  const { items, hasNextPage, hasPreviousPage } = await read({
    limit,
    fromEnd: !fromEnd,
    after: before,
    before: after,
  });
  return { items: items.toReversed(), hasNextPage: hasPreviousPage, hasPreviousPage: hasNextPage };
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
