import { Arg, Authorized, ID, Resolver, Root, Subscription } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { readStatistics } from '../../calls/statistics.js';
import type { Sql } from '../../db/database.js';
import { topics } from '../../events/event.js';
import type { Clock } from '../../lib/clock.js';
import type { GraphqlContext, GraphqlServices } from '../context.js';
import { CallStatisticsObject, StatisticsInterval, statisticsTime } from '../types/call-statistics.js';
import { Hints } from './hints.js';
import { type LiveStream, liveStream } from './live-stream.js';
import { readWebhookId } from './webhook-argument.js';

type Interval = keyof typeof StatisticsInterval;

/** Four updates a second at most. */
const PACE_MS = 250;

/** Reading takes a quarter of the time at most, however many counters there are. */
const PACE_READS = 4;

const INTERVAL: Interval = 'HOUR';

@Resolver()
export class StatisticsUpdatedResolver {
  @Authorized<Permission>('statistics:read')
  @Subscription(() => CallStatisticsObject, {
    description:
      'How calls go: the present state at once, then each time that it changed, four times a second at most.',
    subscribe: async ({ args, context }) => {
      const { services } = context as GraphqlContext;
      const { interval } = args as { interval: Interval | null };
      const webhookId = await readWebhookId(args as object, context as GraphqlContext);
      return statisticsUpdates(services, webhookId, interval ?? INTERVAL);
    },
  })
  statisticsUpdated(
    @Root() statistics: CallStatisticsObject,
    @Arg('webhookId', () => ID, { nullable: true, description: 'Only of this webhook.' }) _webhookId?: string | null,
    @Arg('interval', () => StatisticsInterval, {
      nullable: true,
      defaultValue: INTERVAL,
      description: 'How long each bucket is.',
    })
    _interval?: Interval | null,
  ): CallStatisticsObject {
    return statistics;
  }
}

/** @param webhookId a UUID; without one, of all webhooks. */
function statisticsUpdates(
  services: GraphqlServices,
  webhookId: string | undefined,
  interval: Interval,
): LiveStream<CallStatisticsObject> {
  const hints = new Hints(
    services.hub,
    webhookId === undefined
      ? [topics.calls, topics.finishedCalls]
      : [topics.webhookCalls(webhookId), topics.webhookFinishedCalls(webhookId)],
  );
  const { clock, database } = services;
  return liveStream({
    source: hints,
    sql: database.pool,
    start: (sql) => follow({ sql, clock }, webhookId, interval, hints),
  });
}

async function* follow(
  { sql, clock }: { readonly sql: Sql; readonly clock: Clock },
  webhookId: string | undefined,
  interval: Interval,
  hints: Hints,
): AsyncGenerator<CallStatisticsObject, void, void> {
  const webhookIds = webhookId === undefined ? undefined : [webhookId];
  do {
    hints.forget(); // what is heard from here on may come too late for this reading
    const startedMs = clock.monotonicMs();
    const time = statisticsTime({ interval }, clock.nowMs());
    yield await readStatistics(sql, { webhookIds, ...time });
    const tookMs = clock.monotonicMs() - startedMs;
    await hints.pause(Math.max(PACE_MS - tookMs, tookMs * (PACE_READS - 1)));
  } while ((await hints.take()) !== undefined);
}
