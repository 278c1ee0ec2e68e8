import type { Sql } from '../db/database.js';
import type { Topic } from '../events/event.js';
import { parsePrefer, waitApplied } from '../lib/prefer.js';
import { matchesEntityTag } from './result-bodies.js';
import type { ResultWaiters } from './result-waiters.js';
import type { HttpContext } from './state.js';

export interface LongPollOptions {
  /** Those who long-poll or stream. */
  readonly waiters: ResultWaiters;
  /** The longest that `Prefer: wait=N` makes a request wait, in milliseconds. */
  readonly preferWaitMsMax: number;
}

/** Something that can be waited for. */
export interface Awaited<Value> {
  readonly topics: readonly Topic[];
  readonly read: (sql: Sql) => Promise<Value>;
  readonly tagOf: (value: Value) => string;
  readonly isFinished: (value: Value) => boolean;
}

/**
 * Long-polls with `Prefer: wait=N`: until the end, or, for a caller that says with `If-None-Match` what it has, until
 * there is something else. At the deadline, and when the process stops, the caller gets what there is.
 *
 * @param found as it was read for the authorization.
 * @throws AppError TOO_MANY_WAITERS.
 */
export async function longPoll<Value>(
  options: LongPollOptions,
  ctx: HttpContext,
  found: Value,
  { topics: heardOf, read, tagOf, isFinished }: Awaited<Value>,
): Promise<Value> {
  const { waitMs } = parsePrefer([ctx.get('Prefer')]);
  if (waitMs === undefined) return found;
  const grantedMs = Math.min(waitMs, options.preferWaitMsMax);
  ctx.set('Preference-Applied', waitApplied(grantedMs));
  const had = ctx.get('If-None-Match');
  const isEnough = (value: Value): boolean => isFinished(value) || (had !== '' && !matchesEntityTag(had, tagOf(value)));
  if (grantedMs === 0 || isEnough(found)) return found;
  const hangUp = new AbortController();
  ctx.res.once('close', () => hangUp.abort());
  if (ctx.res.closed || ctx.res.destroyed) hangUp.abort(); // while the first reading was under way
  return await options.waiters.readUntil({
    topics: heardOf,
    read,
    isEnough,
    waitMs: grantedMs,
    gone: hangUp.signal,
  });
}
