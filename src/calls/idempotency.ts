import type { Sql } from '../db/database.js';

/** By what a call is known when it is sent again. */
export interface IdempotencyKey {
  /** SHA-256 of the webhook, the kind of key and the key. */
  readonly keyHash: Buffer;
  /** SHA-256 of what a repeat must have in common with the first call: its body, or nothing at all. */
  readonly bodyHash: Buffer;
  /** The key as the webhook's owner sees it. */
  readonly deliveryId: string;
  /** How long it is known, in milliseconds. */
  readonly windowMs: number;
}

/** A call that came before under the same key. Nothing of the repeat was written. */
export interface Repeat {
  /** The first call's id. */
  readonly callId: string;
  /** Otherwise the key was used for something else. */
  readonly sameBody: boolean;
  /** Of the first call, in the order of its workers. */
  readonly executions: readonly { readonly executionId: string; readonly workerId: string }[];
}

/** Whether a key is free again: its window has ended, or its call may be beyond retention (0 days keeps everything). */
const lapsed = (retentionDays: string): string => `(k.expires_at <= now() or (${retentionDays} > 0
      and k.call_id < workhook_uuid_floor(now() - ${retentionDays} * interval '1 day')))`;

/**
 * Claims the keys of a batch, for the accept's statement. Gives a row a key, with the call that holds it: the new one,
 * or one before it.
 *
 * - Of several calls with one key in the batch, the first one claims it; a row can be touched once a statement.
 * - A conflict waits for the other transaction. If that rolls back, the key is claimed here; if it commits, its row is
 *   read, though it is not in this statement's snapshot. Only `do update` reads it, so a repeat rewrites the row with
 *   what it has; `do nothing` and a second look would cost a round trip, and everybody else a check for it.
 * - Keys are taken in their order, and before any other row that two accepts share: no deadlock.
 *
 * @param source a relation with `ordinal, call_id, key_hash, body_hash, started text, window_ms float8`: the calls of
 *   the batch that have a key and may be stored.
 * @param retentionDays an SQL expression.
 */
export function claimKeysSql(source: string, retentionDays: string): string {
  const columns = ['call_id', 'body_hash', 'started', 'expires_at'];
  const free = lapsed(retentionDays);
  return `
    insert into idempotency_keys as k (key_hash, ${columns.join(', ')})
    select distinct on (key_hash) key_hash, call_id, body_hash, started::json, now() + window_ms * interval '1 millisecond'
    from ${source} order by key_hash, ordinal
    on conflict (key_hash) do update set
      ${columns.map((column) => `${column} = case when ${free} then excluded.${column} else k.${column} end`).join(',\n      ')}
    returning key_hash, call_id, body_hash, started`;
}

const FIND_FIRST = `
  select encode(key_hash, 'hex') as key, call_id as "callId", body_hash as "bodyHash", started as executions
  from idempotency_keys k where key_hash = any($1::bytea[]) and not ${lapsed('$2::integer')}`;

/** A call that holds a key. */
export interface FirstCall extends Omit<Repeat, 'sameBody'> {
  readonly bodyHash: Buffer;
}

/**
 * Looks keys up without claiming them: for calls that will not be stored, whatever is found.
 *
 * @param keys hashes in hex.
 * @returns the calls that hold them, by key.
 */
export async function findFirstCalls(
  sql: Sql,
  keys: readonly string[],
  retentionDays: number,
): Promise<ReadonlyMap<string, FirstCall>> {
  const { rows } = await sql.query<FirstCall & { key: string }>({
    name: 'find-first-calls',
    text: FIND_FIRST,
    values: [keys.map((key) => Buffer.from(key, 'hex')), retentionDays],
  });
  return new Map(rows.map(({ key, ...first }) => [key, first]));
}

/** Rows that one statement deletes at most. */
const DELETED_AT_ONCE = 5_000;

/** Keys that an accept holds at the moment are passed over: it may be taking them for a new call. */
const DELETE_EXPIRED = `
  delete from idempotency_keys where key_hash = any(array(
    select key_hash from idempotency_keys where expires_at <= now() order by expires_at limit ${DELETED_AT_ONCE}
    for update skip locked
  ))`;

/** Deletes the keys whose window has ended. */
export async function deleteExpiredKeys(sql: Sql): Promise<void> {
  for (;;) {
    const { rowCount } = await sql.query(DELETE_EXPIRED);
    if ((rowCount ?? 0) < DELETED_AT_ONCE) return;
  }
}
