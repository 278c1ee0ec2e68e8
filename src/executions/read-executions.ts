import type { Sql } from '../db/database.js';
import { asJsonText } from '../lib/json-text.js';
import type { ExecutionView } from './execution-view.js';
import { millisecondRange } from './millisecond-range.js';

/** An execution as it comes from a statement with {@link EXECUTION_COLUMNS}. */
export type ExecutionRow = Omit<ExecutionView, 'result'> & { readonly result: string | null };

/** JSON comes as text: what the worker gave goes out as it was stored. */
export const EXECUTION_COLUMNS = `
  id, call_id as "callId", webhook_id as "webhookId", worker_id as "workerId", worker_version as "workerVersion",
  position, status, attempt, queued_at as "queuedAt", started_at as "startedAt", finished_at as "finishedAt",
  prompt_tokens as "promptTokens", completion_tokens as "completionTokens", result::text as result, error,
  last_event_seq as "lastEventSeq"`;

const READ_ONE = `select ${EXECUTION_COLUMNS} from executions where id = $1`;

/** A call's executions carry its millisecond in their ids, so this is a short scan of one partition's primary key. */
const READ_CALL = `select ${EXECUTION_COLUMNS} from executions where id between $2 and $3 and call_id = $1 order by position`;

/** Reads one execution; `undefined` when there is none, or none any more. */
export async function readExecution(sql: Sql, id: string): Promise<ExecutionView | undefined> {
  const { rows } = await sql.query<ExecutionRow>({ name: 'read-execution', text: READ_ONE, values: [id] });
  return rows.map(toExecutionView)[0];
}

/** Reads a call's executions in the order of the webhook's workers; none when there is no such call. */
export async function readCallExecutions(sql: Sql, callId: string): Promise<ExecutionView[]> {
  const { firstId, lastId } = millisecondRange(callId);
  const values = [callId, firstId, lastId];
  const { rows } = await sql.query<ExecutionRow>({ name: 'read-call-executions', text: READ_CALL, values });
  return rows.map(toExecutionView);
}

export function toExecutionView(row: ExecutionRow): ExecutionView {
  return { ...row, result: row.result === null ? null : asJsonText(row.result) };
}
