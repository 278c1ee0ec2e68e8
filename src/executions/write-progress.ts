import type pg from 'pg';
import { executionProgressedSql, notifySql } from '../events/wire-sql.js';
import { type JsonText, toJsonText } from '../lib/json-text.js';
import type { StepState, StepUsage } from '../workers/worker-run.js';
import type { Lease } from './lease.js';

/** What an attempt came to: each is an event, and a step is its row as well. */
export type ProgressEntry = StepEntry | TextEntry;

export interface StepEntry {
  readonly kind: 'step';
  readonly path: string;
  readonly status: 'RUNNING' | 'WAITING' | 'SUCCEEDED' | 'FAILED' | 'SKIPPED';
  /** The worker that the step runs, at the version that it keeps from then on. */
  readonly worker?: { readonly id: string; readonly version: number };
  readonly output?: JsonText;
  readonly usage?: StepUsage | undefined;
  /** An `ExecutionError` as JSON. */
  readonly error?: JsonText;
  /** What the step goes on from; what was stored before stays when there is none. */
  readonly state?: StepState | undefined;
  /** What the step was given; stays like the state. */
  readonly input?: JsonText | undefined;
}

/** A piece of text. Whoever reads puts it at `offset` and drops what it had from there on. */
export interface TextEntry {
  readonly kind: 'text';
  /** Whose text: empty for the execution's own worker, else the path of the call. */
  readonly scope: string;
  /** The step within which it was written, by its whole path. */
  readonly step: string | undefined;
  /** In UTF-16 code units, as JavaScript counts. */
  readonly offset: number;
  readonly delta: string;
  /** The text goes on, but no more of it is kept. */
  readonly truncated?: true;
}

/** What one attempt writes at once, in order. */
export interface ProgressWrite {
  readonly lease: Pick<Lease, 'executionId' | 'token' | 'attempt'>;
  readonly entries: readonly ProgressEntry[];
}

/**
 * Writes what a batch of attempts came to: one statement, one commit for events, steps and the notification.
 *
 * - `fenced` is the fence: only the holder of the lease writes. Its number of entries is what the numbers of events
 *   grow by, so that they stay without a gap.
 * - A step can be in a batch twice, when its worker doesn't wait: the last one counts.
 * - A state is added to: what a person decided meanwhile stays in it.
 * - A step with a state goes on, so it keeps the moment at which it began; any other begins anew.
 *
 * The commit waits for the disk. Numbers of events that a crash of PostgreSQL takes back would be given to others, and
 * whoever had read those would miss what follows. It costs one flush for all attempts that wrote meanwhile.
 *
 * Data and outputs come as one binary parameter, as in `finish.ts`. State and input are of workflows only: the statement
 * takes 1.01 of the time of one without them (medians of 300 rounds in turn, 30 attempts with three entries each).
 */
const WRITE = `
  with input as materialized (
    select ord, id, token, kind, path, status, worker_id, worker_version, usage::json as usage, error::json as error,
      state::jsonb as state, step_input::json as step_input,
      convert_from(substring($1::bytea from start_at for data_at - start_at), 'UTF8')::json as data,
      case when data_at < end_at then convert_from(substring($1::bytea from data_at for end_at - data_at), 'UTF8')::json
        end as output
    from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::integer[], $9::text[],
        $10::text[], $11::integer[], $12::integer[], $13::integer[], $14::text[], $15::text[])
      with ordinality as t(id, token, kind, path, status, worker_id, worker_version, usage, error, start_at, data_at,
        end_at, state, step_input, ord)
  ),
  fenced as (
    update executions e set last_event_seq = e.last_event_seq + n.entries
    from (select id, token, count(*)::integer as entries from input group by id, token) n
    where e.id = any($2::uuid[]) and e.id = n.id and e.status = 'RUNNING' and e.lease_token = n.token
    returning e.id, n.token, e.call_id, e.webhook_id, e.attempt, e.last_event_seq as seq,
      e.last_event_seq - n.entries as seq_before
  ),
  written as (
    select i.*, f.attempt, f.seq_before + (row_number() over (partition by i.id order by i.ord))::integer as seq
    from input i join fenced f on f.id = i.id and f.token = i.token
  ),
  steps as (
    insert into execution_steps as s
      (execution_id, path, attempt, status, worker_id, worker_version, output, usage, error, state, input, started_at,
        finished_at)
    select distinct on (id, path) id, path, attempt, status, worker_id, worker_version, output, usage, error, state,
      step_input, now(), case when status not in ('RUNNING', 'WAITING') then now() end
    from written where kind = 'step' order by id, path, ord desc
    on conflict (execution_id, path) do update set
      attempt = excluded.attempt, status = excluded.status, output = excluded.output, usage = excluded.usage,
      error = excluded.error, state = coalesce(s.state || excluded.state, excluded.state, s.state), input = coalesce(excluded.input, s.input),
      worker_id = coalesce(s.worker_id, excluded.worker_id),
      worker_version = coalesce(s.worker_version, excluded.worker_version),
      started_at = case when excluded.status = 'RUNNING' and excluded.state is null then excluded.started_at
        else s.started_at end,
      finished_at = excluded.finished_at
  ),
  events as (
    insert into execution_events (execution_id, seq, at, kind, data) select id, seq, now(), kind, data from written
  ),
  notified as (
    ${notifySql(`(select ${executionProgressedSql('id', 'call_id', 'webhook_id', 'seq')} as event from fenced) changed`)}
  )
  select array(select token from fenced) as tokens, (table notified)`;

/** `refused`: the lease was taken over, or the execution has ended; nothing of this one was written. */
export type ProgressResult = 'written' | 'refused';

/** Writes what attempts came to; a result for each, in order. Rejects with SQLSTATE class 22 when an output is not JSON. */
export async function writeProgress(
  pool: pg.Pool,
  writes: readonly ProgressWrite[],
): Promise<readonly ProgressResult[]> {
  const { rows } = await pool.query<{ tokens: string[] }>({
    name: 'write-progress',
    text: WRITE,
    values: parametersOf(writes),
  });
  const tokens = new Set(rows[0]!.tokens);
  return writes.map(({ lease }) => (tokens.has(lease.token) ? 'written' : 'refused'));
}

function parametersOf(writes: readonly ProgressWrite[]): unknown[] {
  // In the order of the ids, as every hot statement locks them; several writes of one attempt stay in their order.
  const inOrder = writes.toSorted((a, b) =>
    a.lease.executionId < b.lease.executionId ? -1 : +(a.lease.executionId > b.lease.executionId),
  );
  const all = inOrder.flatMap(({ lease, entries }) => entries.map((entry) => ({ lease, entry })));
  const step = <T>(of: (entry: StepEntry) => T | undefined): (T | null)[] =>
    all.map(({ entry }) => (entry.kind === 'step' ? (of(entry) ?? null) : null));
  const pieces: Buffer[] = [];
  const [startAt, dataAt, endAt]: [number[], number[], number[]] = [[], [], []];
  let at = 1; // SQL counts from 1
  for (const { lease, entry } of all) {
    const data = Buffer.from(eventData(lease.attempt, entry));
    const output = Buffer.from(entry.kind === 'step' ? (entry.output ?? '') : '');
    pieces.push(data, output);
    startAt.push(at);
    dataAt.push((at += data.length));
    endAt.push((at += output.length));
  }
  return [
    Buffer.concat(pieces),
    all.map(({ lease }) => lease.executionId),
    all.map(({ lease }) => lease.token),
    all.map(({ entry }) => entry.kind),
    step(({ path }) => path),
    step(({ status }) => status),
    step(({ worker }) => worker?.id),
    step(({ worker }) => worker?.version),
    step(({ usage }) => usage && toJsonText(usage)),
    step(({ error }) => error),
    startAt,
    dataAt,
    endAt,
    step(({ state }) => state && JSON.stringify(state)),
    step(({ input }) => input),
  ];
}

/** What a subscriber is told. A step's output is not in it: that is read with the step. */
function eventData(attempt: number, entry: ProgressEntry): JsonText {
  if (entry.kind === 'step') return toJsonText({ path: entry.path, status: entry.status, attempt });
  const { scope, step, offset, delta, truncated } = entry;
  return toJsonText({ attempt, callPath: scope === '' ? undefined : scope, step, offset, delta, truncated });
}
