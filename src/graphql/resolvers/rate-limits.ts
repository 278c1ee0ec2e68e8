import { Arg, Args, Authorized, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import type { UserError } from '../../lib/user-error.js';
import { readRateLimits } from '../../rate-limits/read-rate-limits.js';
import { setRateLimit } from '../../rate-limits/set-rate-limit.js';
import { type Connection, ConnectionArgs } from '../connections.js';
import type { GraphqlContext } from '../context.js';
import { pageOfAll } from '../page-of-all.js';
import { readId } from '../public-id.js';
import { RateLimitConnection, RateLimitObject, SetRateLimitInput, SetRateLimitPayload } from '../types/rate-limit.js';
import { WebhookObject } from '../types/webhook.js';

/** Left out by mistake, it must not clear a limit. */
const PER_MINUTE_MISSING: UserError = {
  field: ['perMinute'],
  message: 'Give a number, or null to go back to what holds without this entry.',
  code: 'REQUIRED',
};

@Resolver()
export class RateLimitResolver {
  @Authorized<Permission>('rate-limits:read')
  @Query(() => RateLimitConnection, {
    description: 'For each scope the limit that holds for all, then those of particular users and webhooks.',
  })
  async rateLimits(
    @Ctx() { services, principal }: GraphqlContext,
    @Args(() => ConnectionArgs) args: ConnectionArgs,
  ): Promise<Connection<RateLimitObject>> {
    const views = await readRateLimits(services.database.pool, services.rateLimitDefaults, principal);
    const limits = views.map((view) => new RateLimitObject(view));
    return new RateLimitConnection(pageOfAll(limits, ({ scope, subjectId }) => `${scope} ${subjectId ?? ''}`, args));
  }

  @Authorized<Permission>('rate-limits:write')
  @Mutation(() => SetRateLimitPayload, {
    description: 'Sets or clears a rate limit. All processes apply it at once.',
  })
  async setRateLimit(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => SetRateLimitInput, { description: 'What to set.' }) input: SetRateLimitInput,
  ): Promise<SetRateLimitPayload> {
    const { scope, perMinute } = input;
    if (perMinute === undefined) return { userErrors: [PER_MINUTE_MISSING] };
    const subject = input.subjectId ?? null;
    const outcome = await setRateLimit(
      { database: services.database, defaults: services.rateLimitDefaults },
      principal,
      {
        scope,
        subjectId: subject === null ? null : readId(scope === 'USER' ? 'user' : 'webhook', subject),
        perMinute,
      },
    );
    if (!outcome.ok) return { userErrors: outcome.userErrors };
    return { rateLimit: new RateLimitObject(outcome.value), userErrors: [] };
  }
}

@Resolver(() => WebhookObject)
export class WebhookRateLimit {
  @Authorized<Permission>('rate-limits:read')
  @FieldResolver(() => RateLimitObject, {
    nullable: true,
    description:
      'The limit of its calls: its own, else that of all webhooks. Those of its user and of all calls hold besides.',
  })
  async rateLimit(
    @Root() { view }: WebhookObject,
    @Ctx() { loaders }: GraphqlContext,
  ): Promise<RateLimitObject | undefined> {
    const limit = await loaders.rateLimitsOfWebhooks.load(view.id);
    return limit && new RateLimitObject(limit);
  }
}
