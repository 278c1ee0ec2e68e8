import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import type { Sql } from '../db/database.js';
import { Conditions, type KeysetPage, keysetPage, type KeysetRequest } from '../db/keyset.js';
import { uuidV7Floor } from '../lib/ids.js';
import { CALL_SUMMARY_COLUMNS, type CallSummary } from './call-summary.js';
import type { CallOutcome } from './call.entity.js';

export interface CallFilter {
  readonly webhookId?: string | undefined;
  readonly outcomes?: readonly CallOutcome[] | undefined;
  /** Received at this time or later. */
  readonly from?: Date | undefined;
  /** Received before this time. */
  readonly to?: Date | undefined;
}

/**
 * Lists calls, the newest first, without their bodies. A page is a scan of an index from where it begins, wherever it lies; a time is a
 * range of ids. Calls with other outcomes are passed over one by one: for a rare outcome give a time too.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN.
 */
export async function listCalls(
  sql: Sql,
  principal: Principal | undefined,
  filter: CallFilter,
  page: KeysetRequest,
): Promise<KeysetPage<CallSummary>> {
  requirePermission(principal, 'calls:read');
  const where = conditionsOf(filter);
  where.add(page.after, (id) => `id < ${id}`);
  where.add(page.before, (id) => `id > ${id}`);
  const limit = where.place(page.limit + 1);
  const { rows } = await sql.query<CallSummary>(
    `select ${CALL_SUMMARY_COLUMNS} from calls where ${where.text} order by id ${page.fromEnd ? 'asc' : 'desc'} limit ${limit}`,
    where.values,
  );
  return keysetPage(page, rows);
}

/** Counts what {@link listCalls} would list in all. It reads every call in question, so only when somebody asks. */
export async function countCalls(sql: Sql, principal: Principal | undefined, filter: CallFilter): Promise<number> {
  requirePermission(principal, 'calls:read');
  const where = conditionsOf(filter);
  const { rows } = await sql.query<{ count: number }>(
    `select count(*)::float8 as count from calls where ${where.text}`,
    where.values,
  );
  return rows[0]!.count;
}

function conditionsOf({ webhookId, outcomes, from, to }: CallFilter): Conditions {
  const where = new Conditions();
  where.add(webhookId, (id) => `webhook_id = ${id}`);
  where.add(outcomes, (list) => `outcome = any(${list}::text[])`);
  where.add(from && uuidV7Floor(from.getTime()), (id) => `id >= ${id}`);
  where.add(to && uuidV7Floor(to.getTime()), (id) => `id < ${id}`);
  return where;
}
