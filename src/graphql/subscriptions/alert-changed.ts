import { Arg, Authorized, ID, Resolver, Root, Subscription } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { readAlerts, readAlertsChangedSince } from '../../alerts/read-alerts.js';
import type { AlertView } from '../../alerts/alert.js';
import type { Sql } from '../../db/database.js';
import { topics } from '../../events/event.js';
import type { EventStream } from '../../events/event-hub.js';
import type { GraphqlContext } from '../context.js';
import { AlertObject } from '../types/alert.js';
import { type LiveStream, liveStream } from './live-stream.js';
import { readWebhookId } from './webhook-argument.js';

/** How far before the newest change others are looked for that were missed: processes' commits take a moment. */
const OVERLAP_MS = 10_000;

@Resolver()
export class AlertChangedResolver {
  @Authorized<Permission>('alerts:read')
  @Subscription(() => AlertObject, {
    description: 'Alerts as they are opened, acknowledged and resolved: each time the alert as it is then.',
    subscribe: async ({ args, context }) =>
      changedAlerts(context as GraphqlContext, await readWebhookId(args as object, context as GraphqlContext)),
  })
  alertChanged(
    @Root() alert: AlertObject,
    @Arg('webhookId', () => ID, { nullable: true, description: 'Only of this webhook.' }) _webhookId?: string | null,
  ): AlertObject {
    return alert;
  }
}

/** @param webhookId a UUID; without one, of all webhooks. */
function changedAlerts({ services }: GraphqlContext, webhookId: string | undefined): LiveStream<AlertObject> {
  const { hub, database, clock } = services;
  const stream = hub.subscribe([webhookId === undefined ? topics.alerts : topics.webhookAlerts(webhookId)]);
  const startedMs = clock.nowMs();
  const start = (sql: Sql): AsyncGenerator<AlertObject, void, void> => {
    const read = {
      one: async (id: string) => (await readAlerts(sql, [id])).get(id),
      since: (time: Date) => readAlertsChangedSince(sql, time, webhookId),
    };
    return follow(stream, read, startedMs);
  };
  return liveStream({ source: stream, sql: database.pool, start });
}

interface Reads {
  readonly one: (id: string) => Promise<AlertView | undefined>;
  readonly since: (time: Date) => Promise<AlertView[]>;
}

async function* follow(stream: EventStream, read: Reads, startedMs: number): AsyncGenerator<AlertObject, void, void> {
  const toldMs = new Map<string, number>(); // the change of each alert that was told last
  let newestMs = startedMs;
  for await (const heard of stream) {
    const changed: (AlertView | undefined)[] =
      heard.kind === 'alert-changed'
        ? [await read.one(heard.alertId)]
        : await read.since(new Date(Math.max(startedMs, newestMs - OVERLAP_MS)));
    for (const view of changed) {
      if (view === undefined || toldMs.get(view.id) === view.changedAt.getTime()) continue;
      newestMs = Math.max(newestMs, view.changedAt.getTime());
      toldMs.set(view.id, view.changedAt.getTime());
      yield new AlertObject(view);
    }
    for (const [id, atMs] of toldMs) if (atMs < newestMs - OVERLAP_MS) toldMs.delete(id);
  }
}
