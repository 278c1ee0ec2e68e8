import type { Sql } from '../../db/database.js';

/** Whether there is such a webhook; nothing more is told of it. */
export async function webhookExists(sql: Sql, webhookId: string): Promise<boolean> {
  const { rowCount } = await sql.query('select from webhooks where id = $1 and deleted_at is null', [webhookId]);
  return rowCount === 1;
}
