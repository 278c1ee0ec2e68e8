import type pg from 'pg';
import type { Dispatch } from '../calls/call-modes.js';
import { executionChangedSql, notifySql } from '../events/wire-sql.js';
import { asJsonText, type JsonText } from '../lib/json-text.js';
import { isTerminal, type ExecutionStatus } from './states.js';

/** The right to run one attempt and to write its end; whoever holds a newer token has taken it over. */
export interface Lease {
  readonly executionId: string;
  readonly token: string;
  readonly callId: string;
  readonly webhookId: string;
  readonly workerId: string;
  /** The version that the execution is bound to from its first attempt on; `null`: there is no such worker. */
  readonly workerVersion: number | null;
  readonly dispatch: Dispatch;
  /** Its call is under flow control: its end lets others have their turn. */
  readonly flow: boolean;
  /** The attempt that this lease is for, from 1. */
  readonly attempt: number;
  /** Its newest event, the one that says that it runs. */
  readonly seq: number;
  /** Somebody wants it to end: it is not run. */
  readonly cancelRequested: boolean;
  /** For how long it has been postponed in all, in milliseconds. */
  readonly postponedMs: number;
  /** The POST body. */
  readonly input: JsonText;
}

export interface LeaseRequest {
  readonly executionId: string;
  readonly runnerId: string;
  /** A new random UUID. Asked again with the same one, after an answer that was lost, the attempt counts once. */
  readonly token: string;
}

/** `done`: it is terminal or no more. `busy`: a living runner has it. */
export type LeaseResult =
  | { readonly type: 'leased'; readonly lease: Lease }
  | { readonly type: 'done' }
  | { readonly type: 'busy' };

/**
 * Takes the leases of a batch, pins the workers' versions, writes the events, sends the notification and reads what
 * the attempts need, in one statement.
 *
 * RUNNING is taken over when its runner's row is gone, or when it is the asking runner's own: a process knows what it
 * runs, and asks for nothing that it is running.
 *
 * The commit does not wait for the disk. Nobody was promised anything yet, and the log is written in order: an end
 * that is on disk has its lease before it. When PostgreSQL itself crashes, the last leases may be undone; their ends
 * are then refused, their jobs come again, and only the count of attempts has forgotten one.
 */
const LEASE = `
  with requested as materialized (
    select * from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as r(id, token, runner)
  ),
  leased as (
    update executions e set
      status = 'RUNNING', attempt = e.attempt + (e.lease_token is distinct from r.token)::integer, lease_token = r.token, leased_by = r.runner, error = null,
      worker_version = coalesce(e.worker_version, (select current_version from workers w where w.id = e.worker_id)),
      started_at = coalesce(e.started_at, now()), last_event_seq = e.last_event_seq + 1
    from requested r
    where e.id = any($1::uuid[]) and e.id = r.id and (
      e.status in ('QUEUED', 'WAITING')
      or (e.status = 'RUNNING'
        and (e.leased_by = r.runner or not exists (select from runners l where l.id = e.leased_by))))
    returning e.id, e.call_id, e.webhook_id, e.worker_id, e.worker_version, e.attempt, e.last_event_seq as seq,
      e.cancel_requested_at is not null as cancel_requested, coalesce(e.postponed_ms, 0)::float8 as postponed_ms
  ),
  events as (
    insert into execution_events (execution_id, seq, at, kind, data)
    select id, seq, now(), 'status', json_build_object('status', 'RUNNING', 'attempt', attempt) from leased
  ),
  notified as (
    ${notifySql(`(select ${executionChangedSql('id', 'call_id', 'webhook_id', 'seq')} as event from leased) changed`)}
  )
  select l.id, l.call_id as "callId", l.webhook_id as "webhookId", l.worker_id as "workerId",
    l.worker_version as "workerVersion", l.attempt, l.seq, l.cancel_requested as "cancelRequested",
    l.postponed_ms as "postponedMs", c.dispatch, c.flow is not null as flow, convert_from(c.request_body, 'UTF8') as input,
    (select payloads from notified), (select set_config('synchronous_commit', 'off', true))
  from leased l join calls c on c.id = l.call_id`;

interface LeasedRow {
  readonly id: string;
  readonly callId: string;
  readonly webhookId: string;
  readonly workerId: string;
  readonly workerVersion: number | null;
  readonly attempt: number;
  readonly seq: number;
  readonly dispatch: Dispatch;
  readonly cancelRequested: boolean;
  readonly postponedMs: number;
  readonly flow: boolean;
  readonly input: string;
}

/** Why the others were not leased; asked only when there are such. */
const STATUS = 'select id, status from executions where id = any($1::uuid[])';

/** Takes leases for executions that this process is not running; a result for each, in order. */
export async function takeLeases(pool: pg.Pool, requests: readonly LeaseRequest[]): Promise<readonly LeaseResult[]> {
  const ids = requests.map((request) => request.executionId);
  const inOrder = requests.toSorted(byExecutionId);
  const { rows } = await pool.query<LeasedRow>({
    name: 'take-leases',
    text: LEASE,
    values: [
      inOrder.map(({ executionId }) => executionId),
      inOrder.map(({ token }) => token),
      inOrder.map(({ runnerId }) => runnerId),
    ],
  });
  const leased = new Map(rows.map((row) => [row.id, row]));
  const live =
    leased.size < ids.length
      ? await liveExecutions(
          pool,
          ids.filter((id) => !leased.has(id)),
        )
      : new Set();
  return requests.map(({ executionId: id, token }): LeaseResult => {
    const row = leased.get(id);
    if (row === undefined) return { type: live.has(id) ? 'busy' : 'done' };
    const { id: executionId, input, ...rest } = row;
    return { type: 'leased', lease: { executionId, token, input: asJsonText(input), ...rest } };
  });
}

/** Rows are locked in this order by every hot statement, so that no two of them wait for each other. */
export function byExecutionId(a: { readonly executionId: string }, b: { readonly executionId: string }): number {
  return a.executionId < b.executionId ? -1 : 1;
}

async function liveExecutions(pool: pg.Pool, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const { rows } = await pool.query<{ id: string; status: ExecutionStatus }>({
    name: 'read-statuses',
    text: STATUS,
    values: [ids],
  });
  return new Set(rows.filter(({ status }) => !isTerminal(status)).map(({ id }) => id));
}
