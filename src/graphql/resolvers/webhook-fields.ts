import { Args, Authorized, Ctx, FieldResolver, Resolver, Root } from 'type-graphql';
import { isAllowed, type Permission } from '../../access/permissions.js';
import { maskedUrl } from '../../callbacks/masked-url.js';
import type { CallStatistics } from '../../calls/statistics.js';
import { webhookPath } from '../../webhooks/webhook-path.js';
import type { Connection } from '../connections.js';
import type { GraphqlContext } from '../context.js';
import { keysetConnection, ListedArgs, listedPage } from '../keyset-connection.js';
import { DateTime, WholeNumber } from '../scalars.js';
import { CallConnection, CallObject } from '../types/call.js';
import { CallStatisticsObject, StatisticsArgs, statisticsTime } from '../types/call-statistics.js';
import { UserObject } from '../types/user.js';
import { WebhookObject } from '../types/webhook.js';
import { WorkerObject } from '../types/worker.js';
import { workerObject } from '../types/worker-kinds.js';

@Resolver(() => WebhookObject)
export class WebhookFields {
  @FieldResolver(() => String, { description: 'The URL that senders POST to, made from PUBLIC_URL and the id.' })
  url(@Root() { view }: WebhookObject, @Ctx() { services }: GraphqlContext): string {
    return services.publicUrl() + webhookPath(view.id);
  }

  @FieldResolver(() => String, {
    nullable: true,
    description:
      'Where the end of each of its calls is told; null for nowhere. Who may not change it sees *** for the values of its query.',
  })
  callbackUrl(@Root() { view }: WebhookObject, @Ctx() { principal }: GraphqlContext): string | null {
    if (view.callback === null) return null;
    const { url } = view.callback;
    return principal !== undefined && isAllowed(principal, 'webhooks:write') ? url : maskedUrl(url);
  }

  @Authorized<Permission>('workers:read')
  @FieldResolver(() => [WorkerObject], { description: 'The workers that each call runs, in the order of running.' })
  async workers(@Root() { view }: WebhookObject, @Ctx() { loaders }: GraphqlContext): Promise<WorkerObject[]> {
    const workers = await Promise.all(view.workerIds.map((id) => loaders.workers.load(id)));
    return workers.flatMap((worker) => (worker === undefined ? [] : [workerObject(worker)]));
  }

  @Authorized<Permission>('statistics:read')
  @FieldResolver(() => WholeNumber, { description: 'Accepted and rejected calls of all time.' })
  async callCount(@Root() { view }: WebhookObject, @Ctx() { loaders }: GraphqlContext): Promise<number> {
    return (await loaders.callCounts.load(view.id)).callCount;
  }

  @Authorized<Permission>('statistics:read')
  @FieldResolver(() => DateTime, { nullable: true, description: 'When the newest call came that is still stored.' })
  async lastCalledAt(@Root() { view }: WebhookObject, @Ctx() { loaders }: GraphqlContext): Promise<Date | null> {
    return (await loaders.callCounts.load(view.id)).lastCalledAt;
  }

  @Authorized<Permission>('users:read')
  @FieldResolver(() => UserObject, {
    nullable: true,
    description: 'Who made it, and whose rate limit its calls count to.',
  })
  async createdBy(
    @Root() { view }: WebhookObject,
    @Ctx() { loaders }: GraphqlContext,
  ): Promise<UserObject | undefined> {
    const user = await loaders.users.load(view.ownerId);
    return user && new UserObject(user);
  }

  @Authorized<Permission>('calls:read')
  @FieldResolver(() => CallConnection, { description: 'Its calls, the newest first unless `order` says otherwise.' })
  async calls(
    @Root() { view }: WebhookObject,
    @Ctx() { loaders }: GraphqlContext,
    @Args(() => ListedArgs) args: ListedArgs,
  ): Promise<Connection<CallObject>> {
    const page = await listedPage('call', args, (request) => loaders.callsOfWebhooks.load(view.id, request));
    return new CallConnection(
      keysetConnection(
        page,
        (call) => new CallObject(call),
        () => loaders.callTotalsOfWebhooks.load(view.id),
      ),
    );
  }

  @Authorized<Permission>('statistics:read')
  @FieldResolver(() => CallStatisticsObject, { description: 'How its calls went in a time.' })
  async statistics(
    @Root() { view }: WebhookObject,
    @Ctx() { loaders }: GraphqlContext,
    @Args(() => StatisticsArgs) args: StatisticsArgs,
  ): Promise<CallStatistics> {
    return await loaders.statisticsOfWebhooks.load(view.id, statisticsTime(args, loaders.nowMs));
  }
}
