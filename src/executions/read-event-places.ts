import type { Sql } from '../db/database.js';
import { asJsonText } from '../lib/json-text.js';
import { type ExecutionEventView, FIRST_EVENT_SQL } from './read-events.js';

/**
 * Where an event stands among those of many executions: by the transaction that wrote it, then the execution, then its
 * number there. No event that is committed later comes to stand before one that is older than every transaction that
 * is still under way.
 */
export interface EventPlace {
  /** PostgreSQL's transaction id, with its epoch. */
  readonly xid: bigint;
  readonly executionId: string;
  readonly seq: number;
}

/** A transaction's place in time: all events before it are committed, and what comes is behind. */
export interface Horizon {
  readonly xid: bigint;
  readonly at: Date;
}

const HORIZON = 'select pg_snapshot_xmin(pg_current_snapshot())::text as xid, now() as at';

/** Reads up to where events can be told in their order now: the oldest transaction that is still under way. */
export async function readHorizon(sql: Sql): Promise<Horizon> {
  const { rows } = await sql.query<{ xid: string; at: Date }>(HORIZON);
  return { xid: BigInt(rows[0]!.xid), at: rows[0]!.at };
}

/**
 * The transaction that inserted a row, which PostgreSQL keeps in every row with 32 bits of its id: nothing has to be
 * stored for it. Events are never changed.
 */
const XID = `(select s.newest - ((s.newest - ev.xmin::text::bigint) & 4294967295)
  from (select pg_snapshot_xmax(pg_current_snapshot())::text::bigint as newest) s)::text`;

const OF_EXECUTIONS = `
  select ev.execution_id as "executionId", ev.seq, ${XID} as xid
  from unnest($1::uuid[], $2::integer[]) as k(id, seq)
  join execution_events ev on ev.execution_id = k.id and ev.seq > k.seq`;

interface PlaceRow {
  readonly executionId: string;
  readonly seq: number;
  readonly xid: string;
}

/** Reads the places of events behind a number of each execution, those of one execution in their order. */
export async function readEventPlaces(
  sql: Sql,
  behind: ReadonlyMap<string, number>,
): Promise<ReadonlyMap<string, readonly EventPlace[]>> {
  const { rows } = await sql.query<PlaceRow>(OF_EXECUTIONS, [[...behind.keys()], [...behind.values()]]);
  return placesOf(rows);
}

/**
 * A block range index finds what was written since. An event's time is when its transaction began, and it may have been
 * written a while later.
 */
const SINCE = `
  select ev.execution_id as "executionId", ev.seq, ${XID} as xid
  from execution_events ev join executions e on e.id = ev.execution_id
  where ev.at >= $2::timestamptz - interval '1 minute' and e.webhook_id = $1
  limit $3`;

/**
 * Reads the places of a webhook's events since a time, a minute before it included.
 *
 * @returns `undefined` when there are more than the limit.
 */
export async function readEventPlacesSince(
  sql: Sql,
  webhookId: string,
  at: Date,
  limit: number,
): Promise<ReadonlyMap<string, readonly EventPlace[]> | undefined> {
  const { rows } = await sql.query<PlaceRow>(SINCE, [webhookId, at, limit + 1]);
  return rows.length > limit ? undefined : placesOf(rows);
}

const EVENTS = `
  select ev.execution_id as "executionId", ev.seq, ev.at, ev.kind, ev.data::text as data
  from unnest($1::uuid[], $2::integer[]) as k(id, seq)
  join execution_events ev on ev.execution_id = k.id and ev.seq = k.seq
  union all
  select e.id, ${FIRST_EVENT_SQL}
  from unnest($1::uuid[], $2::integer[]) as k(id, seq)
  join executions e on e.id = k.id and k.seq = 1 join calls c on c.id = e.call_id`;

/** Reads the events at some places; those that retention has taken meanwhile are missing. */
export async function readEventsAt(
  sql: Sql,
  places: readonly EventPlace[],
): Promise<{ readonly place: EventPlace; readonly event: ExecutionEventView }[]> {
  const { rows } = await sql.query<ExecutionEventView & { readonly executionId: string }>(EVENTS, [
    places.map(({ executionId }) => executionId),
    places.map(({ seq }) => seq),
  ]);
  const found = new Map(rows.map(({ executionId, ...event }) => [`${executionId} ${event.seq}`, event]));
  return places.flatMap((place) => {
    const event = found.get(`${place.executionId} ${place.seq}`);
    return event === undefined ? [] : [{ place, event: { ...event, data: asJsonText(event.data) } }];
  });
}

function placesOf(rows: readonly PlaceRow[]): ReadonlyMap<string, readonly EventPlace[]> {
  const places = rows.map(({ executionId, seq, xid }) => ({ executionId, seq, xid: BigInt(xid) }));
  const byExecution = Map.groupBy(places, ({ executionId }) => executionId);
  for (const ofOne of byExecution.values()) ofOne.sort((a, b) => a.seq - b.seq);
  return byExecution;
}
