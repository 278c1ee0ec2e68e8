import type { Sql } from '../db/database.js';
import { Conditions, type KeysetPage, keysetPage, type KeysetRequest } from '../db/keyset.js';
import { requirePermission } from './permissions.js';
import type { Principal } from './principal.js';

/** A row of the audit log. */
export interface AuditEventView {
  /** Counts from 1 without a gap. */
  readonly seq: number;
  readonly at: Date;
  /** A UUID; `null` when nobody's user did it. */
  readonly userId: string | null;
  /** What proved who it was, such as `api-token:` and its UUID, or `system:startup`. */
  readonly credential: string;
  readonly action: string;
  readonly subjectId: string | null;
  readonly details: Readonly<Record<string, unknown>>;
  /** Hexadecimal SHA-256 of the row and the one before. */
  readonly hash: string;
}

export interface AuditFilter {
  /** An action (`webhook.created`) or all of a noun (`webhook`). */
  readonly action?: string | undefined;
  readonly subjectId?: string | undefined;
  /** A UUID. */
  readonly userId?: string | undefined;
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
}

/**
 * Lists the audit log, the newest first. A place is an event's number.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN.
 */
export async function listAuditEvents(
  sql: Sql,
  principal: Principal | undefined,
  filter: AuditFilter,
  page: KeysetRequest<number>,
): Promise<KeysetPage<AuditEventView>> {
  requirePermission(principal, 'audit:read');
  const where = conditionsOf(filter);
  where.add(page.after, (seq) => `seq < ${seq}`);
  where.add(page.before, (seq) => `seq > ${seq}`);
  const limit = where.place(page.limit + 1);
  const { rows } = await sql.query<AuditEventView>(
    `select seq::float8 as seq, at, user_id as "userId", credential, action, subject_id as "subjectId", details,
       encode(hash, 'hex') as hash
     from audit_events where ${where.text} order by seq ${page.fromEnd ? 'asc' : 'desc'} limit ${limit}`,
    where.values,
  );
  return keysetPage(page, rows);
}

/** Counts what {@link listAuditEvents} would list in all. */
export async function countAuditEvents(
  sql: Sql,
  principal: Principal | undefined,
  filter: AuditFilter,
): Promise<number> {
  requirePermission(principal, 'audit:read');
  const where = conditionsOf(filter);
  const { rows } = await sql.query<{ count: number }>(
    `select count(*)::float8 as count from audit_events where ${where.text}`,
    where.values,
  );
  return rows[0]!.count;
}

function conditionsOf({ action, subjectId, userId, from, to }: AuditFilter): Conditions {
  const where = new Conditions();
  where.add(action, (value) => `(action = ${value} or split_part(action, '.', 1) = ${value})`);
  where.add(subjectId, (value) => `subject_id = ${value}`);
  where.add(userId, (value) => `user_id = ${value}::uuid`);
  where.add(from, (value) => `at >= ${value}`);
  where.add(to, (value) => `at < ${value}`);
  return where;
}
