import type { Sql } from '../db/database.js';
import type { Dispatch, ExecutionMode } from './call-modes.js';
import type { CallOutcome } from './call.entity.js';

/** A call as results show it. Ids are UUIDs. */
export interface CallView {
  readonly id: string;
  readonly webhookId: string;
  readonly receivedAt: Date;
  readonly executionMode: ExecutionMode;
  readonly dispatch: Dispatch;
  readonly outcome: CallOutcome;
  readonly httpStatus: number | null;
  readonly durationMs: number | null;
  readonly isTest: boolean;
  readonly rejectionReason: string | null;
  readonly rejectionCode: string | null;
  readonly finishedAt: Date | null;
  /** The bytes that were POSTed. */
  readonly requestBody: Buffer;
}

const READ_CALL = `
  select id, webhook_id as "webhookId", received_at as "receivedAt", execution_mode as "executionMode", dispatch,
    outcome, http_status as "httpStatus", duration_ms as "durationMs", is_test as "isTest",
    rejection_reason as "rejectionReason", rejection_code as "rejectionCode", finished_at as "finishedAt", request_body as "requestBody"
  from calls where id = $1`;

/** Reads one call; `undefined` when there is none, or none any more. */
export async function readCall(sql: Sql, id: string): Promise<CallView | undefined> {
  const { rows } = await sql.query<CallView>({ name: 'read-call', text: READ_CALL, values: [id] });
  return rows[0];
}

/** Reads the bytes that were POSTed for a call. */
export async function readRequestBody(sql: Sql, callId: string): Promise<Buffer | undefined> {
  const { rows } = await sql.query<{ body: Buffer }>({
    name: 'read-request-body',
    text: 'select request_body as body from calls where id = $1',
    values: [callId],
  });
  return rows[0]?.body;
}
