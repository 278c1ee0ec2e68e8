import { Arg, Args, Authorized, Ctx, ID, Query, Resolver } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { type CallStatistics, readStatistics } from '../../calls/statistics.js';
import type { GraphqlContext } from '../context.js';
import { readId } from '../public-id.js';
import { CallStatisticsObject, StatisticsArgs, statisticsTime } from '../types/call-statistics.js';

@Resolver()
export class InstallationResolver {
  @Authorized<Permission>('statistics:read')
  @Query(() => CallStatisticsObject, { description: 'How calls went in a time.' })
  async statistics(
    @Ctx() { services, loaders }: GraphqlContext,
    @Args(() => StatisticsArgs) args: StatisticsArgs,
    @Arg('webhookId', () => ID, { nullable: true, description: 'Only calls of this webhook; without it, of all.' })
    webhookId: string | null | undefined,
  ): Promise<CallStatistics> {
    const webhookIds = webhookId ? [readId('webhook', webhookId)] : undefined;
    return await readStatistics(services.database.pool, { ...statisticsTime(args, loaders.nowMs), webhookIds });
  }

  @Authorized()
  @Query(() => String, { description: 'The version of Workhook that answers.' })
  version(@Ctx() { services }: GraphqlContext): string {
    return services.version;
  }
}
