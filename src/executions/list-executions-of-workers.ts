import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import type { Sql } from '../db/database.js';
import { type KeysetPage, keysetPage, type KeysetRequest } from '../db/keyset.js';
import type { ExecutionView } from './execution-view.js';
import { EXECUTION_COLUMNS, type ExecutionRow, toExecutionView } from './read-executions.js';

const OF_WORKERS = (order: 'asc' | 'desc'): string => `
  select e.* from unnest($1::text[]) as w(id) cross join lateral (
    select ${EXECUTION_COLUMNS} from executions
    where worker_id = w.id and ($2::uuid is null or id < $2) and ($3::uuid is null or id > $3)
    order by executions.id ${order} limit $4
  ) e`;

/**
 * Lists the executions of each of some workers, the newest first: the same page of each, in one statement. A worker's
 * are looked for from the newest execution on, until the page is full.
 *
 * @returns pages by worker id, of each that was asked for.
 * @throws AppError UNAUTHENTICATED, FORBIDDEN.
 */
export async function listExecutionsOfWorkers(
  sql: Sql,
  principal: Principal | undefined,
  workerIds: readonly string[],
  page: KeysetRequest,
): Promise<ReadonlyMap<string, KeysetPage<ExecutionView>>> {
  requirePermission(principal, 'executions:read');
  const order = page.fromEnd ? 'asc' : 'desc';
  const { rows } = await sql.query<ExecutionRow>({
    name: `list-executions-of-workers-${order}`,
    text: OF_WORKERS(order),
    values: [workerIds, page.after ?? null, page.before ?? null, page.limit + 1],
  });
  const byWorker = Map.groupBy(rows.map(toExecutionView), ({ workerId }) => workerId);
  return new Map(workerIds.map((id) => [id, keysetPage(page, byWorker.get(id) ?? [])]));
}

/** Counts the executions of each of some workers in one statement. It reads every execution, so only when somebody asks. */
export async function countExecutionsOfWorkers(
  sql: Sql,
  principal: Principal | undefined,
  workerIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  requirePermission(principal, 'executions:read');
  const { rows } = await sql.query<{ workerId: string; count: number }>({
    name: 'count-executions-of-workers',
    text: `select worker_id as "workerId", count(*)::float8 as count from executions
      where worker_id = any($1::text[]) group by worker_id`,
    values: [workerIds],
  });
  return new Map(rows.map(({ workerId, count }) => [workerId, count]));
}
