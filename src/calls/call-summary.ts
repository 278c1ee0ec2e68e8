import type { Sql } from '../db/database.js';
import type { CallView } from './read-call.js';

/** A call as lists and the admin API show it: all but the body, which can be large. */
export interface CallSummary extends Omit<CallView, 'requestBody'> {
  readonly sourceIp: string | null;
  /** Names in lower case, credentials removed. */
  readonly requestHeaders: Readonly<Record<string, string>>;
}

/** The columns of a {@link CallSummary}. */
export const CALL_SUMMARY_COLUMNS = `
  id, webhook_id as "webhookId", received_at as "receivedAt", execution_mode as "executionMode", dispatch, outcome,
  http_status as "httpStatus", duration_ms as "durationMs", is_test as "isTest", source_ip as "sourceIp",
  request_headers as "requestHeaders", rejection_reason as "rejectionReason", finished_at as "finishedAt"`;

/** Reads some calls in one query; those that are gone are not in the map. */
export async function readCallsByIds(sql: Sql, ids: readonly string[]): Promise<Map<string, CallSummary>> {
  const { rows } = await sql.query<CallSummary>({
    name: 'read-calls-by-ids',
    text: `select ${CALL_SUMMARY_COLUMNS} from calls where id = any($1::uuid[])`,
    values: [ids],
  });
  return new Map(rows.map((call) => [call.id, call]));
}

/**
 * Reads the bodies of some calls in one query; of those that are gone there is none. They are the bytes as they came, of
 * a rejected call at most the first 64 KiB, of one without authentication nothing.
 */
export async function readRequestBodies(sql: Sql, callIds: readonly string[]): Promise<Map<string, Buffer>> {
  const { rows } = await sql.query<{ id: string; body: Buffer }>({
    name: 'read-request-bodies',
    text: 'select id, request_body as body from calls where id = any($1::uuid[])',
    values: [callIds],
  });
  return new Map(rows.map(({ id, body }) => [id, body]));
}
