import type { EntityManager } from '@mikro-orm/postgresql';
import { executionChangedSql, notifySql } from '../events/wire-sql.js';
import { RUN_EXECUTION, runExecutionJobSql } from '../queue/enqueue.js';

/**
 * Takes the jobs back of calls that are queued and have not begun, and lists all calls that have jobs.
 *
 * A job that is held here is one that no runner has claimed: claiming passes over locked rows, and a claimed one does
 * not fit the condition any more. A call of which any execution has begun, or has a job that is claimed, is in progress
 * and stays so. Should an execution have moved all the same, it gets its job again.
 *
 * Rows are taken as everywhere: jobs, executions, then (in {@link ADOPT}) calls.
 */
const HOLD = `
  with queued_jobs as materialized (
    select j.id, e.id as execution_id, e.call_id, e.status, e.attempt
    from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id
      join executions e on e.id = (j.payload ->> 'executionId')::uuid
    where t.identifier = '${RUN_EXECUTION}' and e.webhook_id = ? and e.status in ('QUEUED', 'WAITING', 'RUNNING')
  ),
  free as materialized (
    select j.id, q.execution_id, q.call_id
    from queued_jobs q join graphile_worker._private_jobs j on j.id = q.id
    where q.status = 'QUEUED' and q.attempt = 0 and j.locked_at is null
    for update of j skip locked
  ),
  holdable as materialized (
    select f.call_id from (select call_id, count(*) as jobs from free group by call_id) f
    cross join lateral (
      select bool_and(status in ('QUEUED', 'WAITING') and attempt = 0) as untouched,
        count(*) filter (where status = 'QUEUED') as queued
      from executions where call_id = f.call_id
        and id between (left(f.call_id::text, 13) || '-0000-0000-000000000000')::uuid
          and (left(f.call_id::text, 13) || '-ffff-ffff-ffffffffffff')::uuid
    ) e
    where e.untouched and e.queued = f.jobs
  ),
  taken as materialized (select id, execution_id from free where call_id in (select call_id from holdable)),
  deleted as (delete from graphile_worker._private_jobs where id in (select id from taken)),
  held as (
    update executions set status = 'WAITING', last_event_seq = last_event_seq + 1
    where id = any(array(select execution_id from taken order by execution_id)) and status = 'QUEUED' and attempt = 0
    returning id, call_id, webhook_id, last_event_seq as seq
  ),
  events as (
    insert into execution_events (execution_id, seq, at, kind, data)
    select id, seq, now(), 'status', json_build_object('status', 'WAITING', 'attempt', 0) from held
  ),
  given_back as (
    select count(*) from graphile_worker.add_jobs(array(
      select ${runExecutionJobSql('execution_id')} from taken where execution_id not in (select id from held)))
  ),
  notified as (
    ${notifySql(`(select ${executionChangedSql('id', 'call_id', 'webhook_id', 'seq')} as event from held) changed`)}
  )
  select array(select distinct call_id::text from queued_jobs) as calls,
    array(select distinct call_id::text from held) as held, (table given_back), (table notified)`;

/** Calls that were let in before there was flow control come under it, in the order in which they came. */
const ADOPT = `
  with held as (select id::uuid from json_array_elements_text(?::json) as t(id)),
  adopted as (
    update calls c set flow = coalesce(c.flow, 'ADOPTED')
    where c.id in (select id::uuid from json_array_elements_text(?::json) as t(id)) and c.finished_at is null
    returning c.id, c.webhook_id, c.received_at
  )
  insert into flow_calls as f (call_id, webhook_id, lane, state, accepted_at, due_at)
  select id, webhook_id, '', case when id in (select id from held) then 'READY' else 'RUNNING' end, received_at, received_at
  from adopted order by received_at, id
  on conflict (call_id) do update set state = excluded.state where f.state = 'RUNNING'`;

/**
 * Brings the calls of a webhook that are on their way under its flow control: those that have begun count as running,
 * those that have not wait for their turn again. To be called in the transaction that changes the webhook, under its
 * lock.
 */
export async function holdQueued(em: EntityManager, webhookId: string): Promise<void> {
  const [row] = await em.execute<{ calls: string[]; held: string[] }[]>(HOLD, [webhookId]);
  const { calls, held } = row!;
  if (calls.length > 0) await em.execute(ADOPT, [JSON.stringify(held), JSON.stringify(calls)]);
}
