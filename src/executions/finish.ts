import type pg from 'pg';
import { callbacksSql } from '../calls/callback-sql.js';
import { durationBucketSql, NO_DURATION_BUCKET } from '../calls/duration-buckets.js';
import { statisticsUpsertSql } from '../calls/statistics-sql.js';
import type { Sql } from '../db/database.js';
import { callFinishedSql, executionChangedSql, notifySql } from '../events/wire-sql.js';
import type { JsonText } from '../lib/json-text.js';
import { runExecutionJobSql } from '../queue/enqueue.js';
import { byExecutionId, type Lease } from './lease.js';
import { millisecondRange } from './millisecond-range.js';
import { TERMINAL_STATUSES } from './states.js';

/** How an attempt ended. */
export type Ending =
  | {
      readonly status: 'SUCCEEDED';
      readonly result: JsonText;
      readonly promptTokens?: number | undefined;
      readonly completionTokens?: number | undefined;
    }
  /** For good: an `ExecutionError` as JSON. */
  | { readonly status: 'FAILED' | 'TIMED_OUT' | 'CANCELED'; readonly error: JsonText }
  /** To be tried again after a while, in milliseconds; the error stands until then. */
  | { readonly status: 'WAITING'; readonly error: JsonText; readonly delayMs: number }
  /**
   * To go on after a while, in milliseconds; the attempt does not count. Stored as WAITING, the reason as the error.
   * POSTPONED waits for room, and for how long it has done so in all is counted; PAUSED waits because it wants to.
   */
  | { readonly status: 'POSTPONED' | 'PAUSED'; readonly error: JsonText; readonly delayMs: number }
  /** Given back undone: the attempt does not count. */
  | { readonly status: 'QUEUED'; readonly delayMs: number };

export interface Finish {
  readonly lease: Pick<Lease, 'executionId' | 'token' | 'callId' | 'dispatch' | 'flow'>;
  readonly ending: Ending;
}

/** `refused`: the lease was taken over or the end is written already; nothing of this one was. */
export type FinishResult = 'finished' | 'refused';

/** Makes room for the calls that wait behind one that has ended; a release (`flow/release-calls.ts`) gives it to them. */
const LEFT_FLOW = `left_flow as (
    update flow_calls f set state = 'ENDED' from counted_down d
    where f.call_id = any($14::uuid[]) and f.call_id = d.id and d.finished
    returning f.webhook_id
  ),`;

const FREED = 'array(select distinct webhook_id from left_flow) as freed,';

const TERMINAL = TERMINAL_STATUSES.map((status) => `'${status}'`).join(', ');

/** What a worker reports on top of what there is; the most that the column holds when it reports nonsense. */
function addedTokensSql(column: string): string {
  return `case when i.${column} is null then e.${column}
        else least(2147483647, coalesce(e.${column}, 0)::bigint + i.${column}) end`;
}

/**
 * Ends a batch of attempts: one statement, one round trip, one commit for states, events, jobs, calls, statistics,
 * callbacks and the notification.
 *
 * - `finished` is the fence: only the holder of the lease writes; what nobody holds, only its cancellation.
 * - `followers` are the rest of a sequence. They are looked for in the millisecond of their call, and only for
 *   executions that give a range: the others cost nothing. `offset 0` keeps that a lookup for each; joined directly,
 *   all rows between the oldest and the newest sequence of the batch were read. The range of the whole batch is there
 *   only to leave out partitions before the statement starts.
 * - What became terminal is summed up for each call before `calls` is touched, for several executions of one call can
 *   be in one batch. Whether one of them failed is counted in the call's row: a statement that waits for the row gets
 *   the newest count, while the sibling executions it could look at are those of its older snapshot.
 * - Tokens that a worker reports are those that the model desk does not know of: they are added to what it has counted.
 * - Tokens of a call that goes on are counted beside the outcomes, under no duration, with no call.
 *
 * Rows are taken in the order of their ids: `executions`, then `calls`, then `call_statistics`.
 *
 * Results and errors come as one binary parameter with offsets; as a `text[]` the driver would escape every byte of
 * them into an array literal, and PostgreSQL would undo it.
 *
 * Batches without a call under flow control have a statement without a word about it, so they pay nothing. Measured in
 * turn with all three statements as they were before there was flow control, 600 each, with 32 calls a statement and
 * with one: store 0.98 and 0.99 of the time, lease 0.96 and 0.99, finish 1.03 and 1.01, all within the noise.
 */
const finishSql = (fence: string, flow: boolean): string => `
  with input as materialized (
    select id, token, status, prompt_tokens, completion_tokens, delay_ms, first_id, last_id,
      case when start_at < end_at then convert_from(substring($1::bytea from start_at for end_at - start_at), 'UTF8')::json end
        as payload
    from unnest($2::uuid[], $3::uuid[], $4::text[], $5::integer[], $6::integer[], $7::integer[], $8::integer[],
        $9::float8[], $10::uuid[], $11::uuid[])
      as t(id, token, status, start_at, end_at, prompt_tokens, completion_tokens, delay_ms, first_id, last_id)
  ),
  finished as (
    update executions e set
      status = case when i.status in ('POSTPONED', 'PAUSED') then 'WAITING' else i.status end, leased_by = null,
      attempt = e.attempt - (i.status in ('QUEUED', 'POSTPONED', 'PAUSED'))::integer,
      result = case when i.status = 'SUCCEEDED' then i.payload end,
      error = case when i.status <> 'SUCCEEDED' then i.payload end,
      finished_at = case when i.status in (${TERMINAL}) then now() end,
      prompt_tokens = ${addedTokensSql('prompt_tokens')}, completion_tokens = ${addedTokensSql('completion_tokens')},
      postponed_ms = case when i.status = 'POSTPONED' then coalesce(e.postponed_ms, 0) + i.delay_ms else e.postponed_ms end,
      last_event_seq = e.last_event_seq + 1
    from input i
    where e.id = any($2::uuid[]) and e.id = i.id and ${fence}
    returning e.id, e.call_id, e.webhook_id, e.position, e.status, e.attempt, e.last_event_seq as seq,
      i.prompt_tokens, i.completion_tokens, i.delay_ms, i.first_id, i.last_id
  ),
  follower_ids as (
    select f.id from finished d cross join lateral (
      select id, position from executions e
      where e.id between d.first_id and d.last_id and e.call_id = d.call_id and e.status = 'WAITING'
        and e.position > d.position
      offset 0
    ) f
    where d.first_id is not null and d.status in (${TERMINAL}) and (d.status <> 'SUCCEEDED' or f.position = d.position + 1)
  ),
  followers as (
    update executions f set
      status = case when d.status = 'SUCCEEDED' then 'QUEUED' else 'SKIPPED' end,
      finished_at = case when d.status = 'SUCCEEDED' then null else now() end, last_event_seq = f.last_event_seq + 1
    from finished d
    where f.id between $12::uuid and $13::uuid and f.id = any(array(select id from follower_ids))
      and f.call_id = d.call_id and f.status = 'WAITING'
    returning f.id, f.call_id, f.webhook_id, f.status, f.attempt, f.last_event_seq as seq
  ),
  changed as (
    select id, call_id, webhook_id, status, attempt, seq, prompt_tokens, completion_tokens from finished
    union all
    select id, call_id, webhook_id, status, attempt, seq, null, null from followers
  ),
  events as (
    insert into execution_events (execution_id, seq, at, kind, data)
    select id, seq, now(), 'status', json_build_object('status', status, 'attempt', attempt) from changed
  ),
  jobs as (
    select case when cardinality(specs) > 0 then (select count(*) from graphile_worker.add_jobs(specs)) end from (
      select array(
        select ${runExecutionJobSql('id', "now() + delay_ms * interval '1 millisecond'")}
        from finished where delay_ms is not null
        union all
        select ${runExecutionJobSql('id')} from followers where status = 'QUEUED'
      ) as specs
    ) due
  ),
  ended as (
    select call_id, count(*) as executions, count(*) filter (where status <> 'SUCCEEDED') as failures,
      coalesce(sum(prompt_tokens), 0) as prompt_tokens, coalesce(sum(completion_tokens), 0) as completion_tokens
    from changed where status in (${TERMINAL}) group by call_id order by call_id
  ),
  counted_down as (
    update calls c set
      pending = c.pending - n.executions, failures = c.failures + n.failures,
      outcome = case when c.pending > n.executions then c.outcome
        when c.failures + n.failures = 0 then 'SUCCEEDED' else 'FAILED' end,
      http_status = coalesce(c.http_status, case when c.pending > n.executions then null
        when c.failures + n.failures = 0 then 200 else 500 end),
      finished_at = case when c.pending <= n.executions then now() end,
      duration_ms = case when c.pending <= n.executions then
        greatest(0, least(2147483647, extract(epoch from now() - c.received_at) * 1000)) end
    from ended n where c.id = any($14::uuid[]) and c.id = n.call_id
    returning c.id, c.webhook_id, c.received_at, c.outcome, c.duration_ms, c.finished_at is not null as finished,
      n.prompt_tokens, n.completion_tokens
  ),
  counted as (
    select webhook_id, date_trunc('minute', received_at, 'UTC') as bucket_start, $15::smallint as shard,
      case when finished then outcome else 'SUCCEEDED' end as outcome,
      case when finished then ${durationBucketSql('duration_ms')} else ${NO_DURATION_BUCKET}::smallint end
        as duration_bucket,
      count(*) filter (where finished) as calls, sum(prompt_tokens)::bigint as prompt_tokens,
      sum(completion_tokens)::bigint as completion_tokens
    from counted_down where finished or prompt_tokens > 0 or completion_tokens > 0
    group by 1, 2, 3, 4, 5
  ),
  statistics as (${statisticsUpsertSql('counted')}),
  ${callbacksSql('counted_down')},
  ${flow ? LEFT_FLOW : ''}
  notified as (
    ${notifySql(`(
      select ${executionChangedSql('id', 'call_id', 'webhook_id', 'seq')} as event from changed
      union all
      select ${callFinishedSql('id', 'webhook_id')} from counted_down where finished
    ) news`)}
  )
  select array(select id from finished) as finished, ${flow ? FREED : ''} (table jobs), (table callback_jobs),
    (table notified)`;

const LEASED = "e.status = 'RUNNING' and e.lease_token = i.token";
const FINISH = finishSql(LEASED, false);
const FINISH_FLOW = finishSql(LEASED, true);
const FINISH_UNLEASED = finishSql("e.status in ('QUEUED', 'WAITING')", true);

const NO_RANGE = millisecondRange('00000000-0000-0000-0000-000000000000');

/**
 * Writes how attempts ended.
 *
 * @param shard this process's shard of the counters.
 * @param onFreed is told, after the commit, in which webhooks a call under flow control has ended.
 * @returns a result for each, in order. Rejects with SQLSTATE class 22 or 23 when a result is not JSON.
 */
export async function finishExecutions(
  pool: pg.Pool,
  shard: number,
  finishes: readonly Finish[],
  onFreed?: (webhookIds: readonly string[]) => void,
): Promise<readonly FinishResult[]> {
  const flow = finishes.some(({ lease }) => lease.flow);
  const { rows } = await pool.query<{ finished: string[]; freed?: string[] }>({
    ...(flow ? { name: 'finish-executions-flow', text: FINISH_FLOW } : { name: 'finish-executions', text: FINISH }),
    values: parametersOf(finishes, shard),
  });
  const { freed = [] } = rows[0]!;
  if (freed.length > 0) onFreed?.(freed);
  const finished = new Set(rows[0]!.finished);
  return finishes.map(({ lease }) => (finished.has(lease.executionId) ? 'finished' : 'refused'));
}

/** An execution that no runner has, and how it ends. */
export interface UnleasedFinish {
  readonly execution: Pick<Lease, 'executionId' | 'callId' | 'dispatch'>;
  readonly error: JsonText;
}

/**
 * Cancels executions that are QUEUED or WAITING, with all that follows from their end as for any other.
 *
 * @returns a result for each, in order; `refused`: it runs or has ended.
 */
export async function cancelUnleased(
  sql: Sql,
  shard: number,
  finishes: readonly UnleasedFinish[],
): Promise<readonly FinishResult[]> {
  const { rows } = await sql.query<{ finished: string[] }>({
    name: 'finish-unleased',
    text: FINISH_UNLEASED,
    values: parametersOf(
      finishes.map(({ execution, error }) => ({
        lease: { ...execution, token: NO_TOKEN, flow: true },
        ending: { status: 'CANCELED', error },
      })),
      shard,
    ),
  });
  const finished = new Set(rows[0]!.finished);
  return finishes.map(({ execution }) => (finished.has(execution.executionId) ? 'finished' : 'refused'));
}

const NO_TOKEN = '00000000-0000-0000-0000-000000000000';

function parametersOf(finishes: readonly Finish[], shard: number): unknown[] {
  const inOrder = finishes.toSorted((a, b) => byExecutionId(a.lease, b.lease));
  const payloads = inOrder.map(({ ending }) => Buffer.from(payloadOf(ending)));
  const startAt: number[] = [];
  const endAt: number[] = [];
  let at = 1; // SQL counts from 1
  for (const payload of payloads) {
    startAt.push(at);
    endAt.push((at += payload.length));
  }
  const ranges = inOrder.map(({ lease }) =>
    lease.dispatch === 'SEQUENTIAL' ? millisecondRange(lease.executionId) : null,
  );
  const sequential = ranges.filter((range) => range !== null);
  return [
    Buffer.concat(payloads),
    inOrder.map(({ lease }) => lease.executionId),
    inOrder.map(({ lease }) => lease.token),
    inOrder.map(({ ending }) => ending.status),
    startAt,
    endAt,
    inOrder.map(({ ending }) => (ending.status === 'SUCCEEDED' ? ending.promptTokens : undefined)),
    inOrder.map(({ ending }) => (ending.status === 'SUCCEEDED' ? ending.completionTokens : undefined)),
    inOrder.map(({ ending }) => ('delayMs' in ending ? ending.delayMs : null)),
    ranges.map((range) => range?.firstId ?? null),
    ranges.map((range) => range?.lastId ?? null),
    (sequential[0] ?? NO_RANGE).firstId,
    (sequential.at(-1) ?? NO_RANGE).lastId,
    inOrder.map(({ lease }) => lease.callId),
    shard,
  ];
}

function payloadOf(ending: Ending): string {
  switch (ending.status) {
    case 'SUCCEEDED':
      return ending.result;
    case 'QUEUED':
      return '';
    case 'FAILED':
    case 'TIMED_OUT':
    case 'CANCELED':
    case 'WAITING':
    case 'POSTPONED':
    case 'PAUSED':
      return ending.error;
  }
}
