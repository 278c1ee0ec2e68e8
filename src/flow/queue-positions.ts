import type { Sql } from '../db/database.js';

/** Where the count of those before a call ends; a longer queue need not be counted for every call. */
const POSITION_MAX = 1_000;

/**
 * A call that is held counts those before it in its lane, any other one the calls of the webhook that are to run before
 * it. What nobody has looked at yet stands behind what somebody has.
 */
const POSITIONS = `
  select f.call_id as "callId", case when f.state in ('RUNNING', 'ENDED') then 0
    when f.state in ('NEW', 'HELD') and f.lane <> '' then least(${POSITION_MAX}, greatest(1, (
      select count(*) from (
        select from flow_calls o where o.webhook_id = f.webhook_id and o.lane = f.lane and (
          o.state in ('READY', 'RUNNING') or (o.state in ('NEW', 'HELD') and o.seq < f.seq))
        limit ${POSITION_MAX}) ahead)))
    else least(${POSITION_MAX}, 1 + (
      select count(*) from (
        select from flow_calls o where o.webhook_id = f.webhook_id and o.state = 'READY'
          and (o.due_at, o.seq) < (coalesce(f.due_at, 'infinity'), f.seq)
        limit ${POSITION_MAX}) ahead))
    end::integer as position
  from flow_calls f where f.call_id = any($1::uuid[])`;

/**
 * Reads which place calls have in their webhook's queue: 0 runs, 1 is the next one, 1,000 is that or any later place.
 * Calls that have ended or are under no flow control are not in the map.
 */
export async function readQueuePositions(sql: Sql, callIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const { rows } = await sql.query<{ callId: string; position: number }>({
    name: 'read-queue-positions',
    text: POSITIONS,
    values: [callIds],
  });
  return new Map(rows.map(({ callId, position }) => [callId, position]));
}

/** How many calls of a webhook are on their way. */
export interface FlowCounts {
  readonly waiting: number;
  readonly running: number;
}

const COUNTS = `
  select w.id, count(f.state) filter (where f.state in ('NEW', 'HELD', 'READY'))::integer as waiting,
    count(f.state) filter (where f.state = 'RUNNING')::integer as running
  from unnest($1::uuid[]) as w(id) left join flow_calls f on f.webhook_id = w.id group by w.id`;

/** Counts the calls of some webhooks that wait and run under their flow control. */
export async function readFlowCounts(sql: Sql, webhookIds: readonly string[]): Promise<Map<string, FlowCounts>> {
  const { rows } = await sql.query<FlowCounts & { id: string }>({
    name: 'read-flow-counts',
    text: COUNTS,
    values: [webhookIds],
  });
  return new Map(rows.map(({ id, waiting, running }) => [id, { waiting, running }]));
}
