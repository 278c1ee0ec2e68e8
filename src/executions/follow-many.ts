import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Sql } from '../db/database.js';
import { AppError } from '../errors.js';
import { EventOrder } from './event-order.js';
import {
  type EventPlace,
  readEventPlaces,
  readEventPlacesSince,
  readEventsAt,
  readHorizon,
} from './read-event-places.js';
import type { ExecutionEventView } from './read-events.js';
import { readCallExecutions } from './read-executions.js';
import { isTerminal } from './states.js';

/** Events that are read at a time. */
const PAGE = 100;

/** Events that one round puts in order. Who was away for longer reads the executions instead. */
const PLACES_MAX = 100_000;

/** After this long it is looked again for what an open transaction holds up; most take a few milliseconds. */
const HELD_UP_MS = 10;

/** An event of one of many executions, and the cursor behind which to go on from it. */
export interface FollowedEvent {
  readonly executionId: string;
  readonly event: ExecutionEventView;
  readonly cursor: string;
}

/** What a subscriber hears meanwhile. */
export interface ExecutionNews {
  readonly closed: boolean;
  /** Waits for something; `undefined` when it is closed. */
  take(): Promise<{ readonly executionIds: readonly string[]; readonly resync: boolean } | undefined>;
  /** What was heard until now. */
  forget(): { readonly executionIds: readonly string[]; readonly resync: boolean };
  pause(ms: number): Promise<void>;
}

export interface FollowManyOptions {
  readonly sql: Sql;
  /** Subscribed to before. */
  readonly news: ExecutionNews;
  /** Resolves when what is committed has been heard. */
  readonly caughtUp: () => Promise<void>;
}

/** Where a subscriber is: behind an event, which was written about then. */
export interface FollowCursor extends EventPlace {
  readonly atMs: number;
}

const CURSOR = /^(\d{1,19})\.([0-9a-z]{1,9})\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(\d{1,9})$/;

function printFollowCursor({ xid, executionId, seq, atMs }: FollowCursor): string {
  return `${xid}.${atMs.toString(36)}.${executionId}.${seq}`;
}

/** @returns `undefined` for what is no cursor. */
export function readFollowCursor(text: string): FollowCursor | undefined {
  const match = CURSOR.exec(text);
  if (match === null) return undefined;
  const [, xid, at, executionId, seq] = match as unknown as [string, string, string, string, string];
  return { xid: BigInt(xid), atMs: Number.parseInt(at, 36), executionId, seq: Number(seq) };
}

const NO_EXECUTION = '00000000-0000-0000-0000-000000000000';

/** The webhook or the call whose executions are followed. */
export type Followed =
  | { readonly webhookId: string; readonly callId?: undefined }
  | { readonly callId: string; readonly webhookId?: undefined };

const OWN = `
  select from executions where id = $1 and ($2::uuid is null or webhook_id = $2) and ($3::uuid is null or call_id = $3)`;

/** Before everything. */
const BEGINNING: FollowCursor = { xid: 0n, atMs: 0, executionId: NO_EXECUTION, seq: 0 };

/**
 * Checks a cursor before it is followed.
 *
 * @param of whose executions are followed.
 * @throws AppError BAD_USER_INPUT when it is of others or of another database, or more has happened since than is caught
 *   up with.
 */
export async function checkFollowCursor(sql: Sql, cursor: FollowCursor, of: Followed): Promise<void> {
  const { webhookId, callId } = of;
  const { rowCount } = await sql.query(OWN, [cursor.executionId, webhookId ?? null, callId ?? null]);
  if (rowCount === 0 || cursor.xid > (await readHorizon(sql)).xid) {
    throw new AppError('BAD_USER_INPUT', 'This is not the cursor of an event of these executions.');
  }
  if (webhookId === undefined) return;
  if ((await readEventPlacesSince(sql, webhookId, new Date(cursor.atMs), PLACES_MAX)) === undefined)
    throw tooFarBehind();
}

/**
 * Gives what happens to a webhook's executions, from now on or behind a cursor, each event once and without a gap. An
 * execution is told of from when it first runs.
 *
 * Hints say whose events to read. They are complete up to the horizon: it is read first, and then waited until all that
 * was committed by then has been heard.
 */
export async function* followWebhook(
  { sql, news, caughtUp }: FollowManyOptions,
  webhookId: string,
  after?: FollowCursor,
): AsyncGenerator<FollowedEvent, void, undefined> {
  const now = await readHorizon(sql);
  const begin = after ?? { xid: now.xid, atMs: now.at.getTime(), executionId: NO_EXECUTION, seq: 0 };
  const order = new EventOrder(begin);
  let reached = begin;
  let missed = after !== undefined;
  let pending: ReadonlySet<string> = new Set();
  while (!news.closed) {
    if (!missed && pending.size === 0) {
      const heard = await news.take();
      if (heard === undefined) return;
      pending = new Set(heard.executionIds);
      missed = heard.resync;
    }
    const horizon = await readHorizon(sql);
    try {
      await caughtUp();
    } catch {
      missed = true; // hints were lost with the connection
    }
    await nextTurn(); // what was delivered is in the news then
    const heard = news.forget();
    const ids = new Set([...pending, ...heard.executionIds]);
    const places =
      missed || heard.resync
        ? await readEventPlacesSince(sql, webhookId, new Date(reached.atMs), PLACES_MAX)
        : await readEventPlaces(sql, new Map([...ids].map((id) => [id, order.seqOf(id)])));
    if (places === undefined) throw tooFarBehind();
    const { due, waiting } = order.next(places.values(), horizon.xid);
    for await (const followed of tell(sql, order, due)) {
      reached = followed.place;
      yield followed;
    }
    reached = { ...reached, atMs: Math.max(reached.atMs, horizon.at.getTime()) };
    missed = false;
    pending = waiting;
    if (waiting.size > 0) await news.pause(HELD_UP_MS);
  }
}

/**
 * Gives what happens to the executions of a call, from the beginning or behind a cursor, each event once and without a
 * gap, until all of them have ended.
 */
export async function* followCall(
  { sql, news }: FollowManyOptions,
  callId: string,
  after: FollowCursor = BEGINNING,
): AsyncGenerator<FollowedEvent, void, undefined> {
  const order = new EventOrder(after);
  while (!news.closed) {
    news.forget(); // what is heard from here on may come too late for this reading
    const horizon = await readHorizon(sql);
    const executions = await readCallExecutions(sql, callId);
    const places = await readEventPlaces(sql, new Map(executions.map(({ id }) => [id, order.seqOf(id)])));
    const { due, waiting } = order.next(places.values(), horizon.xid);
    yield* tell(sql, order, due);
    if (waiting.size > 0) {
      await news.pause(HELD_UP_MS);
      continue;
    }
    const ended = executions.every(
      ({ id, status, lastEventSeq }) => isTerminal(status) && order.seqOf(id) >= lastEventSeq,
    );
    if (ended || (await news.take()) === undefined) return;
  }
}

async function* tell(
  sql: Sql,
  order: EventOrder,
  due: readonly EventPlace[],
): AsyncGenerator<FollowedEvent & { readonly place: FollowCursor }, void, undefined> {
  for (let from = 0; from < due.length; from += PAGE) {
    for (const { place, event } of await readEventsAt(sql, due.slice(from, from + PAGE))) {
      order.told(place);
      const followed = { ...place, atMs: event.at.getTime() };
      yield { executionId: place.executionId, event, cursor: printFollowCursor(followed), place: followed };
    }
  }
}

function tooFarBehind(): AppError {
  return new AppError('BAD_USER_INPUT', 'Too much has happened since this cursor: read the executions instead.');
}
