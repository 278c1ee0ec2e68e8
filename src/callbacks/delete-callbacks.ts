import type { Sql } from '../db/database.js';

/** Rows that one statement deletes at most. */
const DELETED_AT_ONCE = 5_000;

/** A callback's id has its call's time, so it goes when its call does. */
const DELETE_EXPIRED = `
  delete from callbacks where id = any(array(
    select id from callbacks where id < workhook_uuid_floor(now() - $1 * interval '1 day') order by id limit ${DELETED_AT_ONCE}
  ))`;

/** Deletes the callbacks of calls beyond retention, with their attempts. 0 days: keeps everything. */
export async function deleteExpiredCallbacks(sql: Sql, retentionDays: number): Promise<void> {
  if (retentionDays === 0) return;
  for (;;) {
    const { rowCount } = await sql.query(DELETE_EXPIRED, [retentionDays]);
    if ((rowCount ?? 0) < DELETED_AT_ONCE) return;
  }
}
