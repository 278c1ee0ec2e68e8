import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import type { Sql } from '../db/database.js';
import { Conditions, type KeysetPage, keysetPage, type KeysetRequest } from '../db/keyset.js';

/** A step that waits for a person. */
export interface ApprovalView {
  readonly executionId: string;
  readonly path: string;
  readonly message: string | null;
  readonly requestedAt: Date;
  readonly expiresAt: Date;
}

/** A place in the list. */
export interface ApprovalKey {
  readonly executionId: string;
  readonly path: string;
}

/** These three are the condition of the index. Of an execution that has ended nothing waits any more. */
const WAITS = `s.status = 'WAITING' and s.state ->> 'kind' = 'approval' and s.state -> 'decision' is null
  and (s.state ->> 'wakeAtMs')::float8 > extract(epoch from now()) * 1000
  and exists (select from executions e where e.id = s.execution_id and e.status in ('QUEUED', 'WAITING', 'RUNNING'))`;

const COLUMNS = `
  s.execution_id as "executionId", s.path, s.state ->> 'message' as message, s.started_at as "requestedAt",
  to_timestamp((s.state ->> 'wakeAtMs')::float8 / 1000) as "expiresAt"`;

/**
 * Lists what waits for a person, that of the newest executions first.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN.
 */
export async function listApprovals(
  sql: Sql,
  principal: Principal | undefined,
  { limit, fromEnd, after, before }: KeysetRequest<ApprovalKey>,
): Promise<KeysetPage<ApprovalView>> {
  requirePermission(principal, 'executions:read');
  const where = new Conditions();
  const place = ({ executionId, path }: ApprovalKey): string =>
    `(${where.place(executionId)}::uuid, ${where.place(path)})`;
  const bounds = [
    ...(after === undefined ? [] : [`(s.execution_id, s.path) < ${place(after)}`]),
    ...(before === undefined ? [] : [`(s.execution_id, s.path) > ${place(before)}`]),
  ];
  const order = fromEnd ? 'asc' : 'desc';
  const { rows } = await sql.query<ApprovalView>(
    `select ${COLUMNS} from execution_steps s where ${[WAITS, ...bounds].join(' and ')}
     order by s.execution_id ${order}, s.path ${order} limit ${where.place(limit + 1)}`,
    where.values,
  );
  return keysetPage({ limit, fromEnd, after, before }, rows);
}

/** Counts what {@link listApprovals} would list in all. @throws AppError UNAUTHENTICATED, FORBIDDEN. */
export async function countApprovals(sql: Sql, principal: Principal | undefined): Promise<number> {
  requirePermission(principal, 'executions:read');
  const { rows } = await sql.query<{ count: number }>(
    `select count(*)::float8 as count from execution_steps s where ${WAITS}`,
  );
  return rows[0]!.count;
}
