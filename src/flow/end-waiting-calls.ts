import { callbacksSql } from '../calls/callback-sql.js';
import type { CallOutcome } from '../calls/call.entity.js';
import { NO_DURATION_BUCKET } from '../calls/duration-buckets.js';
import { statisticsUpsertSql } from '../calls/statistics-sql.js';
import type { Sql } from '../db/database.js';
import { callFinishedSql, executionChangedSql, notifySql } from '../events/wire-sql.js';
import type { ExecutionError } from '../executions/execution.entity.js';
import type { ExecutionStatus } from '../executions/states.js';
import { callRanges } from './call-ranges.js';

/** A call that is not to run any more. */
export interface WaitingEnd {
  readonly callId: string;
  readonly error: ExecutionError;
}

/** What becomes of the executions, and of their call. */
export interface EndKind {
  readonly status: Extract<ExecutionStatus, 'SKIPPED' | 'CANCELED'>;
  readonly outcome: Extract<CallOutcome, 'SUPERSEDED' | 'FAILED'>;
}

/** As the end of attempts does it (`executions/finish.ts`), and in the same order of locks, for calls that never ran. */
const END = `
  with ending as materialized (
    select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[]) as r(call_id, first_id, last_id, error)
  ),
  ids as materialized (
    select e.id from ending r cross join lateral (
      select id from executions
      where id between r.first_id and r.last_id and call_id = r.call_id and status = 'WAITING'
      offset 0
    ) e
  ),
  ended as (
    update executions e set
      status = $7, error = r.error::json, finished_at = now(), last_event_seq = e.last_event_seq + 1
    from ending r
    where e.id between $5::uuid and $6::uuid and e.id = any(array(select id from ids order by id))
      and r.call_id = e.call_id and e.status = 'WAITING'
    returning e.id, e.call_id, e.webhook_id, e.attempt, e.last_event_seq as seq
  ),
  events as (
    insert into execution_events (execution_id, seq, at, kind, data)
    select id, seq, now(), 'status', json_build_object('status', $7::text, 'attempt', attempt) from ended
  ),
  counts as (select call_id, count(*) as executions from ended group by call_id order by call_id),
  counted_down as (
    update calls c set
      pending = c.pending - n.executions, failures = c.failures + n.executions,
      outcome = case when c.pending > n.executions then c.outcome else $8 end,
      http_status = coalesce(c.http_status, 202),
      finished_at = case when c.pending <= n.executions then now() end,
      duration_ms = case when c.pending <= n.executions then
        greatest(0, least(2147483647, extract(epoch from now() - c.received_at) * 1000)) end
    from counts n where c.id = any($1::uuid[]) and c.id = n.call_id
    returning c.id, c.webhook_id, c.received_at, c.finished_at is not null as finished
  ),
  counted as (
    select webhook_id, date_trunc('minute', received_at, 'UTC') as bucket_start, $9::smallint as shard,
      $8::text as outcome, ${NO_DURATION_BUCKET}::smallint as duration_bucket, count(*) as calls,
      0::bigint as prompt_tokens, 0::bigint as completion_tokens
    from counted_down where finished group by webhook_id, bucket_start
  ),
  statistics as (${statisticsUpsertSql('counted')}),
  ${callbacksSql('counted_down')},
  notified as (
    ${notifySql(`(
      select ${executionChangedSql('id', 'call_id', 'webhook_id', 'seq')} as event from ended
      union all
      select ${callFinishedSql('id', 'webhook_id')} from counted_down where finished
    ) news`)}
  )
  select (table callback_jobs), (table notified)`;

/**
 * Ends calls that wait and whose turn has not come.
 *
 * @param shard this process's shard of the counters.
 */
export async function endWaitingCalls(
  sql: Sql,
  shard: number,
  { status, outcome }: EndKind,
  ends: readonly WaitingEnd[],
): Promise<void> {
  if (ends.length === 0) return;
  const callIds = ends.map(({ callId }) => callId);
  const { firstIds, lastIds, firstId, lastId } = callRanges(callIds);
  const errors = ends.map(({ error }) => JSON.stringify(error));
  await sql.query({
    name: 'end-waiting-calls',
    text: END,
    values: [callIds, firstIds, lastIds, errors, firstId, lastId, status, outcome, shard],
  });
}
