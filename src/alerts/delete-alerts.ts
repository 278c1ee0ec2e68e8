import type { Sql } from '../db/database.js';

/** Deletes alerts whose pattern ended beyond retention. 0 days: keeps everything. */
export async function deleteExpiredAlerts(sql: Sql, retentionDays: number): Promise<void> {
  if (retentionDays === 0) return;
  await sql.query("delete from alerts where ended_at < now() - $1 * interval '1 day'", [retentionDays]);
}
