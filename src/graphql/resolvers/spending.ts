import { Arg, Args, Authorized, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { readUsage } from '../../models/read-usage.js';
import { setSpendCap } from '../../models/set-spend-cap.js';
import { type Connection, ConnectionArgs } from '../connections.js';
import type { GraphqlContext } from '../context.js';
import { pageOfAll } from '../page-of-all.js';
import { readId } from '../public-id.js';
import { DateTime } from '../scalars.js';
import {
  ModelUsageConnection,
  ModelUsageObject,
  SetSpendCapInput,
  SetSpendCapPayload,
  SpendCapObject,
} from '../types/spending.js';
import { WebhookObject } from '../types/webhook.js';

/** How far back usage goes when nobody says. */
const SPAN_MS = 30 * 86_400_000;

@Resolver()
export class SpendingResolver {
  @Authorized<Permission>('statistics:read')
  @Query(() => ModelUsageConnection, {
    description: 'What models were paid, by day and model, the newest day first; the last 30 days without a time.',
  })
  async usage(
    @Ctx() { services, principal }: GraphqlContext,
    @Args(() => ConnectionArgs) args: ConnectionArgs,
    @Arg('webhookId', () => ID, { nullable: true, description: 'Only what this webhook paid.' })
    webhookId: string | null | undefined,
    @Arg('from', () => DateTime, { nullable: true, description: 'From its day on, in UTC.' })
    from: Date | null | undefined,
    @Arg('to', () => DateTime, { nullable: true, description: 'Until its day, included; without it today.' })
    to: Date | null | undefined,
  ): Promise<Connection<ModelUsageObject>> {
    const until = to ?? new Date(services.clock.nowMs());
    const views = await readUsage(services.database.pool, principal, {
      webhookId: webhookId ? readId('webhook', webhookId) : undefined,
      from: from ?? new Date(until.getTime() - SPAN_MS),
      to: until,
    });
    const usages = views.map((view) => new ModelUsageObject(view));
    return new ModelUsageConnection(pageOfAll(usages, ({ day, modelId }) => `${day.toISOString()} ${modelId}`, args));
  }

  @Authorized<Permission>('spend-caps:write')
  @Mutation(() => SetSpendCapPayload, {
    description:
      'Sets what a webhook may spend on a day. It holds in every process at once; what goes beyond fails with SPEND_CAP_REACHED.',
  })
  async setSpendCap(
    @Ctx() { services, loaders, principal }: GraphqlContext,
    @Arg('input', () => SetSpendCapInput, { description: 'What to set.' }) input: SetSpendCapInput,
  ): Promise<SetSpendCapPayload> {
    const webhookId = readId('webhook', input.webhookId);
    const { tokensPerDay, costPerDay: costNanosPerDay, runsPerDay } = input;
    const outcome = await setSpendCap(services, principal, { webhookId, tokensPerDay, costNanosPerDay, runsPerDay });
    if (!outcome.ok) return { userErrors: outcome.userErrors };
    return { spendCap: new SpendCapObject(outcome.value, await loaders.spentToday.load(webhookId)), userErrors: [] };
  }
}

@Resolver(() => WebhookObject)
export class WebhookSpending {
  @Authorized<Permission>('statistics:read')
  @FieldResolver(() => SpendCapObject, { description: 'What it may spend on a day, and what it has spent today.' })
  async spendCap(@Root() { view }: WebhookObject, @Ctx() { loaders }: GraphqlContext): Promise<SpendCapObject> {
    const [cap, spent] = await Promise.all([loaders.spendCaps.load(view.id), loaders.spentToday.load(view.id)]);
    return new SpendCapObject(cap, spent);
  }
}
