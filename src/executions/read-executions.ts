import type { Sql } from '../db/database.js';
import { asJsonText } from '../lib/json-text.js';
import type { ExecutionView } from './execution-view.js';
import { millisecondRange } from './millisecond-range.js';

/** An execution as it comes from a statement with {@link EXECUTION_COLUMNS}. */
export type ExecutionRow = Omit<ExecutionView, 'result' | 'costNanos'> & {
  readonly result: string | null;
  readonly costNanos: string | null;
};

/** JSON comes as text: what the worker gave goes out as it was stored. */
export const EXECUTION_COLUMNS = `
  id, call_id as "callId", webhook_id as "webhookId", worker_id as "workerId", worker_version as "workerVersion",
  position, status, attempt, queued_at as "queuedAt", started_at as "startedAt", finished_at as "finishedAt",
  prompt_tokens as "promptTokens", completion_tokens as "completionTokens",
  cached_tokens as "cachedTokens", cost_nanos as "costNanos", result::text as result, error,
  last_event_seq as "lastEventSeq", cancel_requested_at as "cancelRequestedAt", retry_of as "retryOf",
  retried_by as "retriedBy"`;

const READ_ONE = `select ${EXECUTION_COLUMNS} from executions where id = $1`;

/** A call's executions carry its millisecond in their ids, so this is a short scan of one partition's primary key. */
const READ_CALL = `select ${EXECUTION_COLUMNS} from executions where id between $2 and $3 and call_id = $1 order by position, queued_at`;

/** Reads one execution; `undefined` when there is none, or none any more. */
export async function readExecution(sql: Sql, id: string): Promise<ExecutionView | undefined> {
  const { rows } = await sql.query<ExecutionRow>({ name: 'read-execution', text: READ_ONE, values: [id] });
  return rows.map(toExecutionView)[0];
}

/**
 * Reads a call's executions in the order of the webhook's workers; none when there is no such call. One that was retried
 * stands before its retry.
 */
export async function readCallExecutions(sql: Sql, callId: string): Promise<ExecutionView[]> {
  const { firstId, lastId } = millisecondRange(callId);
  const values = [callId, firstId, lastId];
  const { rows } = await sql.query<ExecutionRow>({ name: 'read-call-executions', text: READ_CALL, values });
  return rows.map(toExecutionView);
}

/** Reads executions by id in one statement, for a data loader; those that are gone are not in the map. */
export async function readExecutionsByIds(sql: Sql, ids: readonly string[]): Promise<Map<string, ExecutionView>> {
  const { rows } = await sql.query<ExecutionRow>({
    name: 'read-executions-by-ids',
    text: `select ${EXECUTION_COLUMNS} from executions where id = any($1::uuid[])`,
    values: [ids],
  });
  return new Map(rows.map((row) => [row.id, toExecutionView(row)]));
}

const OF_CALLS = `
  select e.* from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as c(id, first_id, last_id) cross join lateral (
    select ${EXECUTION_COLUMNS} from executions
    where id between c.first_id and c.last_id and call_id = c.id order by position, queued_at
  ) e`;

/** Reads the executions of each of some calls in one statement, each call's in the order of its webhook's workers. */
export async function readExecutionsOfCalls(
  sql: Sql,
  callIds: readonly string[],
): Promise<ReadonlyMap<string, readonly ExecutionView[]>> {
  const ranges = callIds.map(millisecondRange);
  const { rows } = await sql.query<ExecutionRow>({
    name: 'read-executions-of-calls',
    text: OF_CALLS,
    values: [callIds, ranges.map(({ firstId }) => firstId), ranges.map(({ lastId }) => lastId)],
  });
  const views = Map.groupBy(rows.map(toExecutionView), ({ callId }) => callId);
  for (const ofCall of views.values())
    ofCall.sort((a, b) => a.position - b.position || a.queuedAt.getTime() - b.queuedAt.getTime());
  return views;
}

/** Makes a view of a row. */
export function toExecutionView(row: ExecutionRow): ExecutionView {
  const { result, costNanos } = row;
  return {
    ...row,
    result: result === null ? null : asJsonText(result),
    costNanos: costNanos === null ? null : BigInt(costNanos),
  };
}
