import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import type { Sql } from '../db/database.js';
import { type KeysetPage, keysetPage, type KeysetRequest } from '../db/keyset.js';
import { CALL_SUMMARY_COLUMNS, type CallSummary } from './call-summary.js';

const READ = (order: 'asc' | 'desc'): string => `
  select c.* from unnest($1::uuid[]) as w(id) cross join lateral (
    select ${CALL_SUMMARY_COLUMNS} from calls
    where webhook_id = w.id and ($2::uuid is null or id < $2) and ($3::uuid is null or id > $3)
    order by calls.id ${order} limit $4
  ) c`;

/**
 * Lists the calls of each of some webhooks, the newest first: the same page of each, in one statement, for a data
 * loader. Each page is a scan of the index from where it begins.
 *
 * @returns pages by webhook id, of each that was asked for.
 * @throws AppError UNAUTHENTICATED, FORBIDDEN.
 */
export async function listCallsOfWebhooks(
  sql: Sql,
  principal: Principal | undefined,
  webhookIds: readonly string[],
  page: KeysetRequest,
): Promise<ReadonlyMap<string, KeysetPage<CallSummary>>> {
  requirePermission(principal, 'calls:read');
  const order = page.fromEnd ? 'asc' : 'desc';
  const { rows } = await sql.query<CallSummary>({
    name: `list-calls-of-webhooks-${order}`,
    text: READ(order),
    values: [webhookIds, page.after ?? null, page.before ?? null, page.limit + 1],
  });
  const byWebhook = Map.groupBy(rows, ({ webhookId }) => webhookId);
  return new Map(webhookIds.map((id) => [id, keysetPage(page, byWebhook.get(id) ?? [])]));
}

/** Counts the stored calls of each of some webhooks in one statement. It reads all of them, so only when somebody asks. */
export async function countCallsOfWebhooks(
  sql: Sql,
  principal: Principal | undefined,
  webhookIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  requirePermission(principal, 'calls:read');
  const { rows } = await sql.query<{ webhookId: string; count: number }>({
    name: 'count-calls-of-webhooks',
    text: `select webhook_id as "webhookId", count(*)::float8 as count from calls
      where webhook_id = any($1::uuid[]) group by webhook_id`,
    values: [webhookIds],
  });
  return new Map(rows.map(({ webhookId, count }) => [webhookId, count]));
}
