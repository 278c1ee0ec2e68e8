import type pg from 'pg';
import { recordAudit } from '../access/audit.js';
import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import { besideUuidSql } from '../calls/callback-sql.js';
import type { Dispatch } from '../calls/call-modes.js';
import { durationBucketSql, NO_DURATION_BUCKET } from '../calls/duration-buckets.js';
import { COLD_SHARD } from '../calls/statistics-shard.js';
import { statisticsUpsertSql } from '../calls/statistics-sql.js';
import type { Sql } from '../db/database.js';
import { rawTransaction } from '../db/raw-transaction.js';
import { AppError } from '../errors.js';
import { executionChangedSql, notifySql } from '../events/wire-sql.js';
import { formatId } from '../lib/ids.js';
import { type Outcome, refused, succeeded, type UserError } from '../lib/user-error.js';
import { runExecutionJobSql } from '../queue/enqueue.js';
import { millisecondRange } from './millisecond-range.js';
import type { ExecutionStatus } from './states.js';

/** At which version a worker is run once more: that of the first time, or the one that is current by then. */
export const WORKER_VERSION_CHOICES = ['ORIGINAL', 'PRESENT'] as const;
export type WorkerVersionChoice = (typeof WORKER_VERSION_CHOICES)[number];

export type RetryResult =
  | { readonly type: 'retried'; readonly executionId: string }
  | { readonly type: 'gone' }
  /** It has not ended, or ended well, or was skipped. */
  | { readonly type: 'not-failed'; readonly status: ExecutionStatus }
  | { readonly type: 'retried-before'; readonly by: string }
  /** Of a sequence: one before it has not succeeded. */
  | { readonly type: 'not-its-turn' };

/** What can be run again. SKIPPED ones never ran: they come with the one that failed before them. */
export const RETRYABLE: readonly ExecutionStatus[] = ['FAILED', 'TIMED_OUT', 'CANCELED'];

/**
 * Runs an execution that did not succeed once more, as a new execution of the same call. In a sequence, those that were
 * skipped because of it come with it, to run in their order.
 *
 * @returns the new execution's id.
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND.
 */
export async function retryExecution(
  pool: pg.Pool,
  principal: Principal | undefined,
  { id, workerVersion }: { readonly id: string; readonly workerVersion: WorkerVersionChoice },
): Promise<Outcome<string>> {
  requirePermission(principal, 'executions:operate');
  return await rawTransaction(pool, async (tx) => {
    const result = await retryOne(tx.sql, COLD_SHARD, id, workerVersion);
    if (result.type === 'gone') throw new AppError('NOT_FOUND', 'There is no such execution.');
    if (result.type !== 'retried') return refused(faultOf(result));
    await recordAudit(tx, principal, {
      action: 'execution.retried',
      subjectId: formatId('execution', id),
      details: { retriedBy: formatId('execution', result.executionId), workerVersion },
    });
    return succeeded(result.executionId);
  });
}

function faultOf(result: Exclude<RetryResult, { type: 'retried' | 'gone' }>): UserError {
  const field = ['id'];
  if (result.type === 'retried-before') {
    const message = `It was retried already, by ${formatId('execution', result.by)}.`;
    return { field, message, code: 'ALREADY_RETRIED' };
  }
  if (result.type === 'not-its-turn') {
    const message = 'An execution before it in the sequence has not succeeded: that one is to be retried.';
    return { field, message, code: 'NOT_ITS_TURN' };
  }
  return { field, message: `Its status is ${result.status}; what failed can be retried.`, code: 'NOT_FAILED' };
}

const READ = `
  select e.status, e.call_id as "callId", e.position, e.retried_by as "retriedBy", c.dispatch,
    c.dispatch = 'SEQUENTIAL' and exists (
      select from executions b where b.id between $2 and $3 and b.call_id = e.call_id and b.position < e.position
        and b.retried_by is null and b.status <> 'SUCCEEDED') as blocked
  from executions e join calls c on c.id = e.call_id where e.id = $1 for update of e`;

interface Row {
  readonly status: ExecutionStatus;
  readonly callId: string;
  readonly position: number;
  readonly retriedBy: string | null;
  readonly dispatch: Dispatch;
  readonly blocked: boolean;
}

/**
 * Everything that follows from it, in one statement.
 *
 * - `again`: the execution and, of a sequence, what was skipped behind it.
 * - The call is open again: it waits for more executions, and has fewer failures. When they end, it ends as any other,
 *   with its outcome, its count and a callback of its own. So the count of its first end is taken back here: every call
 *   is counted once, by its last end.
 * - A callback of its first end that was not received yet is not sent any more.
 *
 * A first event needs no row; for one that begins behind others in a sequence it says WAITING, so that it is queued is
 * its second.
 */
const RETRY = `
  with again as materialized (
    select o.*, ${besideUuidSql('o.id')} as new_id, o.id = $1 as is_first from executions o
    where o.id between $2 and $3 and o.call_id = $4 and (
      o.id = $1 or ($5::boolean and o.position > $6 and o.status = 'SKIPPED' and o.retried_by is null))
  ),
  marked as (update executions e set retried_by = a.new_id from again a where e.id = a.id),
  added as (
    insert into executions (id, call_id, webhook_id, worker_id, worker_version, position, status, queued_at, retry_of,
      last_event_seq)
    select new_id, call_id, webhook_id, worker_id, case when $7::boolean then worker_version end, position,
      case when is_first then 'QUEUED' else 'WAITING' end, now(), id,
      case when is_first and $5::boolean and position > 0 then 2 else 1 end
    from again
    returning id, call_id, webhook_id, status, last_event_seq as seq
  ),
  events as (
    insert into execution_events (execution_id, seq, at, kind, data)
    select id, seq, now(), 'status', json_build_object('status', 'QUEUED', 'attempt', 0) from added where seq > 1
  ),
  jobs as (
    select count(*) from graphile_worker.add_jobs(array(
      select ${runExecutionJobSql('id')} from added where status = 'QUEUED'))
  ),
  before as materialized (select id, outcome, duration_ms, finished_at from calls where id = $4 for update),
  opened as (
    update calls c set
      pending = c.pending + (select count(*) from again), failures = c.failures - (select count(*) from again),
      outcome = 'ACCEPTED', finished_at = null, duration_ms = null
    from before b where c.id = b.id
    returning c.webhook_id, c.received_at, b.outcome, b.duration_ms, b.finished_at is not null as had_ended
  ),
  counted as (
    select webhook_id, date_trunc('minute', received_at, 'UTC') as bucket_start, $8::smallint as shard, outcome,
      case when duration_ms is null then ${NO_DURATION_BUCKET}::smallint else ${durationBucketSql('duration_ms')} end
        as duration_bucket,
      -1::bigint as calls, 0::bigint as prompt_tokens, 0::bigint as completion_tokens
    from opened where had_ended
  ),
  statistics as (${statisticsUpsertSql('counted')}),
  superseded as (
    update callbacks set status = 'SUPERSEDED', next_attempt_at = null, finished_at = now()
    where id between $2 and $3 and call_id = $4 and status = 'PENDING'
  ),
  notified as (
    ${notifySql(`(select ${executionChangedSql('id', 'call_id', 'webhook_id', 'seq')} as event from added) news`)}
  )
  select (select new_id from again where is_first) as id, (table jobs), (table notified)`;

/** The same in the caller's transaction, for whoever has the right to. The row's lock lets one retry through. */
export async function retryOne(
  sql: Sql,
  shard: number,
  executionId: string,
  workerVersion: WorkerVersionChoice,
): Promise<RetryResult> {
  const { firstId, lastId } = millisecondRange(executionId);
  const { rows } = await sql.query<Row>(READ, [executionId, firstId, lastId]);
  const row = rows[0];
  if (row === undefined) return { type: 'gone' };
  if (row.retriedBy !== null) return { type: 'retried-before', by: row.retriedBy };
  if (!RETRYABLE.includes(row.status)) return { type: 'not-failed', status: row.status };
  if (row.blocked) return { type: 'not-its-turn' };
  const { rows: retried } = await sql.query<{ id: string }>(RETRY, [
    executionId,
    firstId,
    lastId,
    row.callId,
    row.dispatch === 'SEQUENTIAL',
    row.position,
    workerVersion === 'ORIGINAL',
    shard,
  ]);
  return { type: 'retried', executionId: retried[0]!.id };
}
