import { CALL_OUTCOMES, type CallOutcome } from '../calls/call.entity.js';
import type { Sql } from '../db/database.js';
import type { Activity, Counts, HourCounts } from './judge.js';

/** Two weeks and a day: as far back as any rule looks. */
const DAYS = 15;

const HOUR_MS = 3_600_000;

/** An accepted call is counted once more under one of these when it ends. */
const ENDS: ReadonlySet<CallOutcome> = new Set(['SUCCEEDED', 'FAILED', 'SUPERSEDED']);
const CALLS = CALL_OUTCOMES.filter((outcome) => !ENDS.has(outcome));
const REJECTED = CALL_OUTCOMES.filter((outcome) => outcome.startsWith('REJECTED_') || outcome === 'RATE_LIMITED');

const countsSql = (calls: string, rejected: string): string => `
  coalesce(sum(calls) filter (where outcome = any(${calls})), 0)::float8 as calls,
  coalesce(sum(calls) filter (where outcome = 'SUCCEEDED'), 0)::float8 as succeeded,
  coalesce(sum(calls) filter (where outcome = 'FAILED'), 0)::float8 as failed,
  coalesce(sum(calls) filter (where outcome = any(${rejected})), 0)::float8 as rejected`;

const WEBHOOKS = `
  select id, floor(extract(epoch from updated_at) * 1000)::float8 as "changedMs"
  from webhooks where active and deleted_at is null`;

const HOURS = `
  select webhook_id as "webhookId", floor(extract(epoch from date_trunc('hour', bucket_start, 'UTC')) * 1000)::float8 as "startMs",
    floor(extract(epoch from max(bucket_start) filter (where outcome = any($3) and calls > 0)) * 1000)::float8 as "lastCallMs",
    ${countsSql('$3', '$4')}
  from call_statistics where outcome = any($5) and bucket_start >= $1 and bucket_start < $2
  group by 1, 2`;

const RECENT = `
  select webhook_id as "webhookId", ${countsSql('$3', '$4')}
  from call_statistics where outcome = any($5) and bucket_start >= $1 and bucket_start < $2
  group by 1`;

type HourRow = HourCounts & { readonly webhookId: string; readonly lastCallMs: number | null };

const NONE: Counts = { calls: 0, succeeded: 0, failed: 0, rejected: 0 };

/** Reads what is known of each active webhook, by its id. */
export async function readActivity(sql: Sql, nowMs: number): Promise<Map<string, Activity>> {
  const counted = (fromMs: number): unknown[] => [new Date(fromMs), new Date(nowMs), CALLS, REJECTED, CALL_OUTCOMES];
  const { rows: webhooks } = await sql.query<{ id: string; changedMs: number }>(WEBHOOKS);
  const { rows: hourRows } = await sql.query<HourRow>(HOURS, counted(nowMs - DAYS * 24 * HOUR_MS));
  const { rows: recentRows } = await sql.query<Counts & { webhookId: string }>(RECENT, counted(nowMs - HOUR_MS));
  const hours = Map.groupBy(hourRows, ({ webhookId }) => webhookId);
  const recent = new Map(recentRows.map((row) => [row.webhookId, row]));
  return new Map(
    webhooks.map(({ id, changedMs }) => {
      const known = hours.get(id) ?? [];
      const calledMs = known.flatMap(({ lastCallMs }) => (lastCallMs === null ? [] : [lastCallMs]));
      const lastCallMs = calledMs.length === 0 ? undefined : Math.max(...calledMs);
      return [id, { nowMs, recent: recent.get(id) ?? NONE, hours: known, lastCallMs, changedMs }];
    }),
  );
}
