import type { Sql } from '../db/database.js';
import type { CallView } from './read-call.js';

/** A call as lists show it: without the request, which can be large. */
export interface CallSummary extends Omit<CallView, 'requestBody'> {
  readonly sourceIp: string | null;
  /** By what a repeat of it is known. */
  readonly deliveryId: string | null;
  /** The call that it is a replay of. */
  readonly replayOf: string | null;
}

/** The columns of a {@link CallSummary}. */
export const CALL_SUMMARY_COLUMNS = `
  id, webhook_id as "webhookId", received_at as "receivedAt", execution_mode as "executionMode", dispatch, outcome,
  http_status as "httpStatus", duration_ms as "durationMs", is_test as "isTest", source_ip as "sourceIp",
  rejection_reason as "rejectionReason", rejection_code as "rejectionCode", delivery_id as "deliveryId", replay_of as "replayOf", finished_at as "finishedAt"`;

/** Reads some calls in one query; those that are gone are not in the map. */
export async function readCallsByIds(sql: Sql, ids: readonly string[]): Promise<Map<string, CallSummary>> {
  const { rows } = await sql.query<CallSummary>({
    name: 'read-calls-by-ids',
    text: `select ${CALL_SUMMARY_COLUMNS} from calls where id = any($1::uuid[])`,
    values: [ids],
  });
  return new Map(rows.map((call) => [call.id, call]));
}

/** What a call was sent with. */
export interface CallRequest {
  /** Credentials removed. */
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes as they came; of a rejected call at most the first 64 KiB, of one without authentication none. */
  readonly body: Buffer;
}

/** Reads the requests of some calls in one query; those that are gone are not in the map. */
export async function readCallRequests(sql: Sql, ids: readonly string[]): Promise<Map<string, CallRequest>> {
  const { rows } = await sql.query<CallRequest & { id: string }>({
    name: 'read-call-requests',
    text: 'select id, request_headers as headers, request_body as body from calls where id = any($1::uuid[])',
    values: [ids],
  });
  return new Map(rows.map(({ id, headers, body }) => [id, { headers, body }]));
}
