import { Arg, Authorized, ID, Resolver, Root, Subscription } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { type CallSummary, readCallsByIds } from '../../calls/call-summary.js';
import { listCalls } from '../../calls/list-calls.js';
import type { Sql } from '../../db/database.js';
import { topics } from '../../events/event.js';
import { uuidV7Time } from '../../lib/ids.js';
import type { GraphqlContext } from '../context.js';
import { CallObject } from '../types/call.js';
import { Hints } from './hints.js';
import { type LiveStream, liveStream } from './live-stream.js';
import { readWebhookId } from './webhook-argument.js';

/**
 * How far before the newest call is looked for others that were missed: ids are in the order in which calls came,
 * and those are stored up to a second or two later, in any order.
 */
const OVERLAP_MS = 10_000;

/** Calls that are read at a time. */
const PAGE = 100;

@Resolver()
export class CallReceivedResolver {
  @Authorized<Permission>('calls:read')
  @Subscription(() => CallObject, {
    description: 'Calls as they are recorded, accepted or rejected, each once. Of a flood of rejected ones, a sample.',
    subscribe: async ({ args, context }) =>
      receivedCalls(context as GraphqlContext, await readWebhookId(args as object, context as GraphqlContext)),
  })
  callReceived(
    @Root() call: CallObject,
    @Arg('webhookId', () => ID, { nullable: true, description: 'Only of this webhook.' }) _webhookId?: string | null,
  ): CallObject {
    return call;
  }
}

/** @param webhookId a UUID; without one, the calls of all webhooks. */
function receivedCalls(context: GraphqlContext, webhookId: string | undefined): LiveStream<CallObject> {
  const { hub, clock, database } = context.services;
  const startedMs = clock.nowMs();
  const hints = new Hints(hub, [webhookId === undefined ? topics.calls : topics.webhookCalls(webhookId)]);
  return liveStream({
    source: hints,
    sql: database.pool,
    start: (sql) => follow(sql, context, webhookId, hints, startedMs),
  });
}

async function* follow(
  sql: Sql,
  { principal }: GraphqlContext,
  webhookId: string | undefined,
  hints: Hints,
  startedMs: number,
): AsyncGenerator<CallObject, void, void> {
  const told = new RecentIds();
  let newestMs = startedMs;
  const untold = function* (calls: Iterable<CallSummary>): Generator<CallObject> {
    for (const call of calls) {
      newestMs = Math.max(newestMs, uuidV7Time(call.id));
      if (told.add(call.id)) yield new CallObject(call);
    }
    told.forgetBefore(newestMs - OVERLAP_MS);
  };
  for (;;) {
    const heard = await hints.take();
    if (heard === undefined) return;
    if (heard.resync) {
      const from = new Date(Math.max(startedMs, newestMs - OVERLAP_MS));
      for (let before: string | undefined; ;) {
        // From the back of a list that has the newest first: the oldest first.
        const page = { limit: PAGE, fromEnd: true, after: undefined, before };
        const { items, hasPreviousPage } = await listCalls(sql, principal, { webhookId, from }, page);
        yield* untold(items.toReversed());
        before = items[0]?.id;
        if (!hasPreviousPage || before === undefined) break;
      }
    }
    if (heard.callIds.length > 0) {
      const calls = await readCallsByIds(sql, heard.callIds);
      yield* untold(heard.callIds.map((id) => calls.get(id)).filter((call) => call !== undefined));
    }
  }
}

/** The ids of the last seconds, so that a call which is read twice is told once. */
class RecentIds {
  readonly #ids = new Set<string>();

  /** @returns whether it is new. */
  add(id: string): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    return true;
  }

  forgetBefore(ms: number): void {
    for (const id of this.#ids) {
      if (uuidV7Time(id) >= ms) return;
      this.#ids.delete(id);
    }
  }
}
