import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import type { Sql } from '../db/database.js';
import { Conditions, type KeysetPage, keysetPage, type KeysetRequest } from '../db/keyset.js';
import { uuidV7Time } from '../lib/ids.js';
import type { BulkOperationView } from './bulk-operation.js';

interface Row extends Omit<BulkOperationView, 'progress'> {
  readonly position: string;
  readonly untilId: string;
}

const COLUMNS = `
  id, kind, status, filter, worker_version as "workerVersion", position, until_id as "untilId",
  looked_at::float8 as "lookedAt", succeeded::float8 as succeeded, failed::float8 as failed, failures,
  created_by as "createdBy", created_at as "createdAt", started_at as "startedAt", finished_at as "finishedAt"`;

/** Reads bulk operations by id in one statement; those that there are not are not in the map. */
export async function readBulkOperations(sql: Sql, ids: readonly string[]): Promise<Map<string, BulkOperationView>> {
  const { rows } = await sql.query<Row>(`select ${COLUMNS} from bulk_operations where id = any($1::uuid[])`, [ids]);
  return new Map(rows.map((row) => [row.id, toView(row)]));
}

/**
 * Lists bulk operations, the newest first.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN.
 */
export async function listBulkOperations(
  sql: Sql,
  principal: Principal | undefined,
  page: KeysetRequest,
): Promise<KeysetPage<BulkOperationView>> {
  requirePermission(principal, 'executions:read');
  const where = new Conditions();
  where.add(page.after, (id) => `id < ${id}`);
  where.add(page.before, (id) => `id > ${id}`);
  const limit = where.place(page.limit + 1);
  const { rows } = await sql.query<Row>(
    `select ${COLUMNS} from bulk_operations where ${where.text} order by id ${page.fromEnd ? 'asc' : 'desc'} limit ${limit}`,
    where.values,
  );
  return keysetPage(page, rows.map(toView));
}

/** Counts all bulk operations. @throws AppError UNAUTHENTICATED, FORBIDDEN. */
export async function countBulkOperations(sql: Sql, principal: Principal | undefined): Promise<number> {
  requirePermission(principal, 'executions:read');
  const { rows } = await sql.query<{ count: number }>('select count(*)::float8 as count from bulk_operations');
  return rows[0]!.count;
}

function toView({ position, untilId, ...row }: Row): BulkOperationView {
  return { ...row, progress: progressOf(row, uuidV7Time(position), uuidV7Time(untilId)) };
}

/** By time: to count what is left would cost as much as to do it. */
function progressOf({ status, filter }: Pick<Row, 'status' | 'filter'>, atMs: number, untilMs: number): number {
  if (status === 'COMPLETED') return 1;
  const fromMs = Date.parse(filter.from ?? '');
  return untilMs > fromMs ? Math.min(1, Math.max(0, (atMs - fromMs) / (untilMs - fromMs))) : 0;
}
