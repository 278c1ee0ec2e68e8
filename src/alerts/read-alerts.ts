import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import type { Sql } from '../db/database.js';
import { Conditions, type KeysetPage, keysetPage, type KeysetRequest } from '../db/keyset.js';
import type { AlertKind, AlertStatus, AlertView } from './alert.js';

export interface AlertFilter {
  readonly webhookId?: string | undefined;
  readonly statuses?: readonly AlertStatus[] | undefined;
  readonly kinds?: readonly AlertKind[] | undefined;
}

const COLUMNS = `
  id, webhook_id as "webhookId", kind, status, observed, expected, calls::float8 as calls, opened_at as "openedAt",
  last_seen_at as "lastSeenAt", ended_at as "endedAt", acknowledged_at as "acknowledgedAt",
  acknowledged_by as "acknowledgedBy", resolved_at as "resolvedAt", resolved_by as "resolvedBy",
  changed_at as "changedAt"`;

/** Reads alerts by id in one statement; those that there are not are not in the map. */
export async function readAlerts(sql: Sql, ids: readonly string[]): Promise<Map<string, AlertView>> {
  const { rows } = await sql.query<AlertView>(`select ${COLUMNS} from alerts where id = any($1::uuid[])`, [ids]);
  return new Map(rows.map((row) => [row.id, row]));
}

/** Reads what changed since a time, the oldest change first; for whoever may have missed to hear of it. */
export async function readAlertsChangedSince(sql: Sql, since: Date, webhookId?: string): Promise<AlertView[]> {
  const { rows } = await sql.query<AlertView>(
    `select ${COLUMNS} from alerts where changed_at >= $1 and ($2::uuid is null or webhook_id = $2) order by changed_at, id`,
    [since, webhookId ?? null],
  );
  return rows;
}

/**
 * Lists alerts, the newest first.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN.
 */
export async function listAlerts(
  sql: Sql,
  principal: Principal | undefined,
  filter: AlertFilter,
  page: KeysetRequest,
): Promise<KeysetPage<AlertView>> {
  requirePermission(principal, 'alerts:read');
  const where = conditionsOf(filter);
  where.add(page.after, (id) => `id < ${id}`);
  where.add(page.before, (id) => `id > ${id}`);
  const limit = where.place(page.limit + 1);
  const { rows } = await sql.query<AlertView>(
    `select ${COLUMNS} from alerts where ${where.text} order by id ${page.fromEnd ? 'asc' : 'desc'} limit ${limit}`,
    where.values,
  );
  return keysetPage(page, rows);
}

/** Counts what {@link listAlerts} would list in all. @throws AppError UNAUTHENTICATED, FORBIDDEN. */
export async function countAlerts(sql: Sql, principal: Principal | undefined, filter: AlertFilter): Promise<number> {
  requirePermission(principal, 'alerts:read');
  const where = conditionsOf(filter);
  const { rows } = await sql.query<{ count: number }>(
    `select count(*)::float8 as count from alerts where ${where.text}`,
    where.values,
  );
  return rows[0]!.count;
}

function conditionsOf({ webhookId, statuses, kinds }: AlertFilter): Conditions {
  const where = new Conditions();
  where.add(webhookId, (id) => `webhook_id = ${id}`);
  where.add(statuses, (list) => `status = any(${list}::text[])`);
  where.add(kinds, (list) => `kind = any(${list}::text[])`);
  return where;
}
