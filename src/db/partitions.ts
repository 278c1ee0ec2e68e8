import type { Sql } from './database.js';

/** Weeks of partitions that are made ahead. */
const WEEKS_AHEAD = 8;

const DAY_MS = 86_400_000;

/** Makes the coming weeks' partitions of calls, executions, steps and events. */
export async function ensurePartitions(sql: Sql): Promise<void> {
  await sql.query('select workhook_ensure_partitions(now(), $1)', [WEEKS_AHEAD]);
}

/** Drops the partitions that lie wholly before the retention time. 0 days: keeps everything. */
export async function dropExpiredPartitions(sql: Sql, retentionDays: number): Promise<void> {
  if (retentionDays === 0) return;
  await sql.query("select workhook_drop_partitions_before(now() - $1 * interval '1 day')", [retentionDays]);
}

/** The time before which calls and executions may be gone, Unix milliseconds; 0 when everything is kept. */
export function retentionHorizonMs(nowMs: number, retentionDays: number): number {
  return retentionDays === 0 ? 0 : nowMs - retentionDays * DAY_MS;
}
