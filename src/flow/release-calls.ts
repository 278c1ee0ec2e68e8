import type pg from 'pg';
import type { Sql } from '../db/database.js';
import { AppError } from '../errors.js';
import type { ExecutionError } from '../executions/execution.entity.js';
import { formatId } from '../lib/ids.js';
import { endWaitingCalls } from './end-waiting-calls.js';
import { type NewCall, planDebounce, type StandingCall } from './plan-debounce.js';
import { queueCalls } from './queue-calls.js';

/** What a release leaves behind. */
export interface Release {
  /** Nobody had room for more at once: there may be more to do now. */
  readonly more: boolean;
  /** Milliseconds until the next call is due by time; `undefined` when none waits for that. */
  readonly nextDueMs: number | undefined;
}

/** Calls that one release moves at most, so that its locks are short. */
const MOVED_AT_ONCE = 500;

/** Whoever waits longer for the webhook's row leaves the work to the next release. */
const BEGIN = `begin; set local lock_timeout = '2s'; set local synchronous_commit = off`;

/**
 * The disk is waited for only when something became terminal. What is only queued is, when PostgreSQL itself crashes,
 * at worst undone as a whole, and done again by the next release; an end that rests on it is later in the log.
 */
const COMMIT = { queued: 'commit', ended: 'set local synchronous_commit = on; commit' } as const;

/** The lock that every release holds; it gives the settings as they are once it is held. */
const LOCK = `
  select flow_concurrency as concurrency, flow_debounce_ms as "quietMs", flow_debounce_max_ms as "delayMsMax", paused,
    deleted_at is not null as deleted
  from webhooks where id = $1 for no key update`;

interface Settings {
  readonly concurrency: number | null;
  readonly quietMs: number | null;
  readonly delayMsMax: number | null;
  readonly paused: boolean;
  readonly deleted: boolean;
}

/**
 * Lets the calls of one webhook run whose turn it is. Releases of one webhook come one after the other, in any number
 * of processes, because each holds the webhook's row; a statement that follows the lock sees all that was committed
 * before it. So what it counts is exact.
 *
 * It may be called at any time and any number of times, and whoever dies in it has done nothing.
 *
 * @param shard this process's shard of the counters.
 */
export async function releaseCalls(pool: pg.Pool, shard: number, webhookId: string): Promise<Release> {
  const client = await pool.connect();
  let broken = true;
  try {
    await client.query(BEGIN);
    const { rows } = await client.query<Settings>({ name: 'lock-flow', text: LOCK, values: [webhookId] });
    const settings = rows[0];
    const release = settings === undefined ? NOTHING : await releaseLocked(client, shard, webhookId, settings);
    await client.query(release.ended ? COMMIT.ended : COMMIT.queued);
    broken = false;
    return release;
  } finally {
    client.release(broken); // a broken connection is closed, and its transaction is gone with it
  }
}

const NOTHING = { more: false, nextDueMs: undefined, ended: false };

async function releaseLocked(
  sql: Sql,
  shard: number,
  webhookId: string,
  settings: Settings,
): Promise<Release & { readonly ended: boolean }> {
  const { concurrency, quietMs, delayMsMax, paused, deleted } = settings;
  if (deleted && paused) return await cancelWaiting(sql, shard, webhookId);
  const superseded =
    quietMs === null
      ? 0
      : await debounce(sql, shard, webhookId, { quietMs, delayMsMax: delayMsMax ?? Number.MAX_SAFE_INTEGER });
  const { rows } = await sql.query<{ turns: string[]; nextDueMs: number | null }>({
    name: 'release-calls',
    text: RELEASE,
    values: [webhookId, paused ? 0 : concurrency, MOVED_AT_ONCE, quietMs !== null],
  });
  const { turns, nextDueMs } = rows[0]!;
  const queued = await queueCalls(sql, turns);
  const gone = turns.filter((callId) => !queued.has(callId));
  if (gone.length > 0) await sql.query(`update flow_calls set state = 'ENDED' where call_id = any($1::uuid[])`, [gone]);
  return {
    more: turns.length === MOVED_AT_ONCE || gone.length > 0,
    nextDueMs: nextDueMs ?? undefined,
    ended: superseded > 0,
  };
}

/**
 * Under debounce, a call without a due time was stored after the debounce of this release has looked: accepts do not wait
 * for the webhook's row. It is left to the next release, or it would run at once.
 */
const PLANNED = '(due_at is not null or not $4::boolean)';

/**
 * One look at a webhook's calls: takes those away that have ended, gives the free lanes to their next calls, and takes
 * from the calls whose turn it is as many as there is room for. A call's row is written once, with its final state.
 *
 * It reads what is new, what has ended, the heads of those lanes and the calls whose turn it is, at most as many as it
 * moves; how many wait behind them does not matter: with 20,000 calls in one lane it takes as long as with ten.
 */
const RELEASE = `
  with gone as (delete from flow_calls where webhook_id = $1 and state = 'ENDED' returning lane),
  fresh as materialized (
    select call_id, lane, seq, coalesce(due_at, accepted_at) as due_at
    from flow_calls where webhook_id = $1 and state = 'NEW' and ${PLANNED}
  ),
  touched as (select lane from gone where lane <> '' union select lane from fresh where lane <> ''),
  heads as materialized (
    select h.* from touched t cross join lateral (
      select * from (
        (select call_id, seq, coalesce(due_at, accepted_at) as due_at from flow_calls
          where webhook_id = $1 and lane = t.lane and state = 'HELD' order by seq limit 1)
        union all
        (select call_id, seq, coalesce(due_at, accepted_at) from flow_calls
          where webhook_id = $1 and lane = t.lane and state = 'NEW' and ${PLANNED} order by seq limit 1)
      ) first order by seq limit 1
    ) h
    where not exists (select from flow_calls where webhook_id = $1 and lane = t.lane and state = 'READY')
      and not exists (select from flow_calls where webhook_id = $1 and lane = t.lane and state = 'RUNNING')
  ),
  newly_ready as materialized (
    select call_id, seq, due_at from heads
    union all
    select call_id, seq, due_at from fresh where lane = ''
  ),
  turns as materialized (
    select call_id, due_at, seq from (
      select * from newly_ready where due_at <= statement_timestamp()
      union all
      (select call_id, seq, due_at from flow_calls
        where webhook_id = $1 and state = 'READY' and due_at <= statement_timestamp()
        order by due_at, seq limit $3)
    ) ready
    order by due_at, seq
    limit case when $2::integer is null then $3::integer else least($3::integer, greatest(0, $2::integer
      - (select count(*) from flow_calls where webhook_id = $1 and state = 'RUNNING')::integer)) end
  ),
  moved as (
    update flow_calls f set
      due_at = coalesce(f.due_at, f.accepted_at),
      state = case when f.call_id in (select call_id from turns) then 'RUNNING'
        when f.call_id in (select call_id from newly_ready) then 'READY' else 'HELD' end
    where f.state <> 'ENDED' and f.call_id = any(array(
      select call_id from fresh union select call_id from newly_ready union select call_id from turns))
  )
  select array(select call_id from turns order by due_at, seq) as turns,
    extract(epoch from least(
      (select min(due_at) from newly_ready where due_at > statement_timestamp()),
      (select due_at from flow_calls where webhook_id = $1 and state = 'READY' and due_at > statement_timestamp()
        order by due_at limit 1)
    ) - statement_timestamp())::float8 * 1000 as "nextDueMs"`;

/** New calls that wait for their due time, and the last call of each of their lanes that already does. */
const FRESH = `
  with fresh as materialized (
    select call_id, lane, seq, accepted_at from flow_calls where webhook_id = $1 and state = 'NEW' and due_at is null
  ),
  newest as (
    select s.* from (select distinct lane from fresh) l cross join lateral (
      select * from (
        (select call_id, lane, seq, accepted_at, burst_at, due_at from flow_calls
          where webhook_id = $1 and lane = l.lane and state = 'HELD' and burst_at is not null order by seq desc limit 1)
        union all
        (select call_id, lane, seq, accepted_at, burst_at, due_at from flow_calls
          where webhook_id = $1 and lane = l.lane and state = 'READY' and burst_at is not null order by seq desc limit 1)
      ) last order by seq desc limit 1
    ) s
  )
  select call_id as "callId", encode(lane, 'hex') as lane, extract(epoch from accepted_at)::float8 * 1000 as "acceptedAtMs",
    extract(epoch from burst_at)::float8 * 1000 as "burstAtMs", extract(epoch from due_at)::float8 * 1000 as "dueAtMs"
  from (select * from newest union all select call_id, lane, seq, accepted_at, null, null from fresh) calls order by seq`;

const STAND = `
  update flow_calls f set burst_at = to_timestamp(s.burst_ms / 1000), due_at = to_timestamp(s.due_ms / 1000)
  from unnest($1::uuid[], $2::float8[], $3::float8[]) as s(call_id, burst_ms, due_ms) where f.call_id = s.call_id`;

/** Ends what a newer call took the place of. @returns how many calls. */
async function debounce(
  sql: Sql,
  shard: number,
  webhookId: string,
  settings: Parameters<typeof planDebounce>[0],
): Promise<number> {
  const { rows } = await sql.query<NewCall & (StandingCall | { readonly dueAtMs: null })>({
    name: 'read-new-flow-calls',
    text: FRESH,
    values: [webhookId],
  });
  const stands = (call: (typeof rows)[number]): call is StandingCall => call.dueAtMs !== null;
  const fresh = rows.filter((call) => !stands(call));
  if (fresh.length === 0) return 0;
  const { standing, superseded } = planDebounce(settings, rows.filter(stands), fresh);
  const [ids, bursts, dues] = [
    standing.map(({ callId }) => callId),
    standing.map(({ burstAtMs }) => burstAtMs),
    standing.map(({ dueAtMs }) => dueAtMs),
  ];
  await sql.query({ name: 'stand-flow-calls', text: STAND, values: [ids, bursts, dues] });
  await sql.query('delete from flow_calls where call_id = any($1::uuid[])', [superseded.map(({ callId }) => callId)]);
  const ends = superseded.map(({ callId, by }) => ({ callId, error: supersededBy(by) }));
  await endWaitingCalls(sql, shard, { status: 'SKIPPED', outcome: 'SUPERSEDED' }, ends);
  return superseded.length;
}

function supersededBy(callId: string): ExecutionError {
  return {
    code: 'SUPERSEDED',
    message: `It never ran: ${formatId('call', callId)} came soon after it and took its place.`,
    retryable: false,
  };
}

const TAKE_WAITING = `
  delete from flow_calls where call_id = any(array(
    select call_id from flow_calls where webhook_id = $1 and state in ('NEW', 'HELD', 'READY') limit ${MOVED_AT_ONCE}
  )) returning call_id as "callId"`;

/** Nobody can resume a webhook that was deleted while it was paused: what waits ends. */
async function cancelWaiting(
  sql: Sql,
  shard: number,
  webhookId: string,
): Promise<Release & { readonly ended: boolean }> {
  const { rows } = await sql.query<{ callId: string }>(TAKE_WAITING, [webhookId]);
  const { code, message } = new AppError('CANCELED', 'Its webhook was deleted while it was paused.');
  const ends = rows.map(({ callId }) => ({ callId, error: { code, message, retryable: false } }));
  await endWaitingCalls(sql, shard, { status: 'CANCELED', outcome: 'FAILED' }, ends);
  await sql.query(`delete from flow_calls where webhook_id = $1 and state = 'ENDED'`, [webhookId]);
  return { more: rows.length === MOVED_AT_ONCE, nextDueMs: undefined, ended: true };
}
