import type { Sql } from '../db/database.js';

/**
 * Records that a sync caller was answered 202 at its deadline. The end of the executions fills in a status only where
 * there is none, so what the caller got stays.
 */
export async function noteDeadline(sql: Sql, callId: string): Promise<void> {
  await sql.query('update calls set http_status = 202 where id = $1 and http_status is null', [callId]);
}
