import type { Sql } from '../db/database.js';
import { executionChangedSql, notifySql } from '../events/wire-sql.js';
import { runExecutionJobSql } from '../queue/enqueue.js';
import { callRanges } from './call-ranges.js';

/**
 * Makes the executions of calls due, with what belongs to it: events, jobs in the order of the calls, the notification.
 * Of a sequence it is the first one; the others follow it as they always do.
 */
const QUEUE = `
  with released as materialized (
    select * from unnest($1::uuid[], $2::uuid[], $3::uuid[]) with ordinality as r(call_id, first_id, last_id, ordinal)
  ),
  due as materialized (
    select e.id, r.ordinal, e.position
    from released r join calls c on c.id = r.call_id
    cross join lateral (
      select id, position from executions
      where id between r.first_id and r.last_id and call_id = r.call_id and status = 'WAITING' and attempt = 0
      offset 0
    ) e
    where c.id = any($1::uuid[]) and (e.position = 0 or c.dispatch = 'PARALLEL')
  ),
  queued as (
    update executions e set status = 'QUEUED', last_event_seq = e.last_event_seq + 1
    where e.id between $4::uuid and $5::uuid and e.id = any(array(select id from due order by id)) and e.status = 'WAITING'
    returning e.id, e.call_id, e.webhook_id, e.last_event_seq as seq
  ),
  events as (
    insert into execution_events (execution_id, seq, at, kind, data)
    select id, seq, now(), 'status', json_build_object('status', 'QUEUED', 'attempt', 0) from queued
  ),
  jobs as (
    select case when cardinality(specs) > 0 then (select count(*) from graphile_worker.add_jobs(specs)) end from (
      select array(
        select ${runExecutionJobSql('q.id')} from queued q join due d on d.id = q.id order by d.ordinal, d.position
      ) as specs
    ) due_now
  ),
  notified as (
    ${notifySql(`(select ${executionChangedSql('id', 'call_id', 'webhook_id', 'seq')} as event from queued) changed`)}
  )
  select array(select distinct call_id from queued) as calls, (table jobs), (table notified)`;

/**
 * Queues the executions of calls that wait.
 *
 * @param callIds in the order in which they are to run.
 * @returns those of them that had an execution that waited.
 */
export async function queueCalls(sql: Sql, callIds: readonly string[]): Promise<ReadonlySet<string>> {
  if (callIds.length === 0) return new Set();
  const { firstIds, lastIds, firstId, lastId } = callRanges(callIds);
  const { rows } = await sql.query<{ calls: string[] }>({
    name: 'queue-calls',
    text: QUEUE,
    values: [callIds, firstIds, lastIds, firstId, lastId],
  });
  return new Set(rows[0]!.calls);
}
