import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import type { Sql } from '../db/database.js';
import { type KeysetPage, keysetPage, type KeysetRequest } from '../db/keyset.js';
import { millisecondRange } from '../executions/millisecond-range.js';
import type { CallbackAttemptView, CallbackStatus, CallbackView } from './callback.js';

const COLUMNS = `
  id, call_id as "callId", webhook_id as "webhookId", status, attempts, created_at as "createdAt",
  next_attempt_at as "nextAttemptAt", finished_at as "finishedAt"`;

/** Reads callbacks by id in one statement; those that are gone are not in the map. */
export async function readCallbacksByIds(sql: Sql, ids: readonly string[]): Promise<Map<string, CallbackView>> {
  const { rows } = await sql.query<CallbackView>({
    name: 'read-callbacks-by-ids',
    text: `select ${COLUMNS} from callbacks where id = any($1::uuid[])`,
    values: [ids],
  });
  return new Map(rows.map((row) => [row.id, row]));
}

const NEWEST_OF_CALLS = `
  select k.* from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as c(id, first_id, last_id) cross join lateral (
    select ${COLUMNS} from callbacks
    where id between c.first_id and c.last_id and call_id = c.id order by created_at desc limit 1
  ) k`;

/** Reads the newest callback of each of some calls in one statement; a call that was retried can have several. */
export async function readCallbacksOfCalls(sql: Sql, callIds: readonly string[]): Promise<Map<string, CallbackView>> {
  const ranges = callIds.map(millisecondRange);
  const { rows } = await sql.query<CallbackView>({
    name: 'read-callbacks-of-calls',
    text: NEWEST_OF_CALLS,
    values: [callIds, ranges.map(({ firstId }) => firstId), ranges.map(({ lastId }) => lastId)],
  });
  return new Map(rows.map((row) => [row.callId, row]));
}

/** Reads all attempts of each of some callbacks in one statement, oldest first. */
export async function readAttemptsOfCallbacks(
  sql: Sql,
  callbackIds: readonly string[],
): Promise<ReadonlyMap<string, readonly CallbackAttemptView[]>> {
  const { rows } = await sql.query<CallbackAttemptView & { readonly callbackId: string }>({
    name: 'read-attempts-of-callbacks',
    text: `
      select callback_id as "callbackId", number, at, duration_ms as "durationMs", http_status as "httpStatus", error,
        response_body as "responseBody"
      from callback_attempts where callback_id = any($1::uuid[]) order by callback_id, number`,
    values: [callbackIds],
  });
  return Map.groupBy(rows, ({ callbackId }) => callbackId);
}

/** A page of a webhook's callbacks. */
export interface CallbackPageRequest extends KeysetRequest {
  /** Only those with one of these. */
  readonly statuses?: readonly CallbackStatus[] | undefined;
}

const OF_WEBHOOKS = (order: 'asc' | 'desc'): string => `
  select k.* from unnest($1::uuid[]) as w(id) cross join lateral (
    select ${COLUMNS} from callbacks
    where webhook_id = w.id and ($2::uuid is null or id < $2) and ($3::uuid is null or id > $3)
      and ($5::text[] is null or status = any($5))
    order by callbacks.id ${order} limit $4
  ) k`;

/**
 * Lists the callbacks of each of some webhooks in the order of their calls, the newest first: the same page of each, in
 * one statement, for a data loader.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN.
 */
export async function listCallbacksOfWebhooks(
  sql: Sql,
  principal: Principal | undefined,
  webhookIds: readonly string[],
  page: CallbackPageRequest,
): Promise<ReadonlyMap<string, KeysetPage<CallbackView>>> {
  requirePermission(principal, 'calls:read');
  const order = page.fromEnd ? 'asc' : 'desc';
  const { rows } = await sql.query<CallbackView>({
    name: `list-callbacks-of-webhooks-${order}`,
    text: OF_WEBHOOKS(order),
    values: [webhookIds, page.after ?? null, page.before ?? null, page.limit + 1, page.statuses ?? null],
  });
  const byWebhook = Map.groupBy(rows, ({ webhookId }) => webhookId);
  return new Map(webhookIds.map((id) => [id, keysetPage(page, byWebhook.get(id) ?? [])]));
}

/** Counts the callbacks of each of some webhooks in one statement. It reads all of them, so only when somebody asks. */
export async function countCallbacksOfWebhooks(
  sql: Sql,
  principal: Principal | undefined,
  webhookIds: readonly string[],
  { statuses }: Pick<CallbackPageRequest, 'statuses'>,
): Promise<ReadonlyMap<string, number>> {
  requirePermission(principal, 'calls:read');
  const { rows } = await sql.query<{ webhookId: string; count: number }>({
    name: 'count-callbacks-of-webhooks',
    text: `select w.id as "webhookId", (select count(*) from callbacks where webhook_id = w.id
        and ($2::text[] is null or status = any($2)))::float8 as count from unnest($1::uuid[]) as w(id)`,
    values: [webhookIds, statuses ?? null],
  });
  return new Map(rows.map(({ webhookId, count }) => [webhookId, count]));
}
