import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import type { Sql } from '../db/database.js';
import { Conditions, type KeysetPage, keysetPage, type KeysetRequest } from '../db/keyset.js';
import type { ExecutionView } from './execution-view.js';
import { uuidV7Floor } from '../lib/ids.js';
import { millisecondRange } from './millisecond-range.js';
import { EXECUTION_COLUMNS, type ExecutionRow, toExecutionView } from './read-executions.js';
import type { ExecutionStatus } from './states.js';

export interface ExecutionFilter {
  readonly webhookId?: string | undefined;
  readonly callId?: string | undefined;
  readonly workerId?: string | undefined;
  readonly statuses?: readonly ExecutionStatus[] | undefined;
  /** Of calls that were received at this time or later. */
  readonly from?: Date | undefined;
  /** Received before this time. */
  readonly to?: Date | undefined;
}

/**
 * Lists executions, the newest first.
 *
 * Executions have no index but their primary key, because each costs every accept (one by webhook or by worker 2 to 5 µs
 * an execution). Those of a webhook are found through the index of its calls, those of a call in their millisecond. A
 * worker or a status is looked for from the newest execution on, until the page is full.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN.
 */
export async function listExecutions(
  sql: Sql,
  principal: Principal | undefined,
  filter: ExecutionFilter,
  page: KeysetRequest,
): Promise<KeysetPage<ExecutionView>> {
  requirePermission(principal, 'executions:read');
  const ofWebhook = filter.webhookId !== undefined && filter.callId === undefined;
  const { text, values } = ofWebhook ? pageThroughCalls(filter.webhookId, filter, page) : pageById(filter, page);
  const { rows } = await sql.query<ExecutionRow>(text, values);
  return keysetPage(page, rows.map(toExecutionView));
}

/** Counts what {@link listExecutions} would list in all. It reads all of it, so only when somebody asks. */
export async function countExecutions(
  sql: Sql,
  principal: Principal | undefined,
  filter: ExecutionFilter,
): Promise<number> {
  requirePermission(principal, 'executions:read');
  const where = conditionsOf(filter);
  const { rows } = await sql.query<{ count: number }>(
    `select count(*)::float8 as count from executions where ${where.text}`,
    where.values,
  );
  return rows[0]!.count;
}

interface Statement {
  readonly text: string;
  readonly values: unknown[];
}

function pageById(filter: ExecutionFilter, page: KeysetRequest): Statement {
  const where = conditionsOf(filter);
  where.add(page.after, (id) => `id < ${id}`);
  where.add(page.before, (id) => `id > ${id}`);
  const limit = where.place(page.limit + 1);
  const order = page.fromEnd ? 'asc' : 'desc';
  return {
    text: `select ${EXECUTION_COLUMNS} from executions where ${where.text} order by id ${order} limit ${limit}`,
    values: where.values,
  };
}

/**
 * In the order of the calls, and of the executions within a call: that is the order of their ids except within one
 * millisecond. A cursor's call is looked up; of an execution that is gone, the id itself has the same millisecond.
 */
function pageThroughCalls(webhookId: string, filter: ExecutionFilter, page: KeysetRequest): Statement {
  const calls = new Conditions();
  calls.add(webhookId, (id) => `c.webhook_id = ${id}`);
  calls.add(page.after, (id) => `c.id <= ${callOf(id)} and (c.id, e.id) < (${callOf(id)}, ${id}::uuid)`);
  calls.add(page.before, (id) => `c.id >= ${callOf(id)} and (c.id, e.id) > (${callOf(id)}, ${id}::uuid)`);
  calls.add(filter.workerId, (id) => `e.worker_id = ${id}`);
  calls.add(filter.statuses, (list) => `e.status = any(${list}::text[])`);
  calls.add(floorOf(filter.from), (id) => `c.id >= ${id} and e.id >= ${id}`);
  calls.add(floorOf(filter.to), (id) => `c.id < ${id} and e.id < ${id}`);
  const limit = calls.place(page.limit + 1);
  const order = page.fromEnd ? 'asc' : 'desc';
  return {
    text: `
      select ${EXECUTION_COLUMNS} from (
        select e.* from calls c cross join lateral (
          select * from executions
          where id between (left(c.id::text, 13) || '-0000-0000-000000000000')::uuid
              and (left(c.id::text, 13) || '-ffff-ffff-ffffffffffff')::uuid
            and call_id = c.id
        ) e
        where c.outcome in ('ACCEPTED', 'SUCCEEDED', 'FAILED', 'SUPERSEDED') and ${calls.text}
        order by c.id ${order}, e.id ${order} limit ${limit}
      ) page order by call_id ${order}, id ${order}`,
    values: calls.values,
  };
}

/** @param place the place of an execution's id in the statement. */
function callOf(place: string): string {
  return `coalesce((select call_id from executions where id = ${place}), ${place}::uuid)`;
}

/** A time is a range of ids. */
function floorOf(time: Date | undefined): string | undefined {
  return time && uuidV7Floor(time.getTime());
}

function conditionsOf({ webhookId, callId, workerId, statuses, from, to }: ExecutionFilter): Conditions {
  const where = new Conditions();
  if (callId !== undefined) {
    const { firstId, lastId } = millisecondRange(callId);
    where.add(callId, (id) => `call_id = ${id}`);
    where.add(firstId, (id) => `id >= ${id}`);
    where.add(lastId, (id) => `id <= ${id}`);
  }
  where.add(webhookId, (id) => `webhook_id = ${id}`);
  where.add(workerId, (id) => `worker_id = ${id}`);
  where.add(statuses, (list) => `status = any(${list}::text[])`);
  where.add(floorOf(from), (id) => `id >= ${id}`);
  where.add(floorOf(to), (id) => `id < ${id}`);
  return where;
}
