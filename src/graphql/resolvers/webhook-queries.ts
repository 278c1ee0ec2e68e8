import { Arg, Args, Authorized, Ctx, ID, Query, Resolver } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { countWebhooks, listWebhooks, NEWEST_WEBHOOKS_FIRST } from '../../webhooks/manage/list-webhooks.js';
import { type Connection, ConnectionArgs, pageRequest } from '../connections.js';
import type { GraphqlContext } from '../context.js';
import { readId, readWorkerId } from '../public-id.js';
import { ORDER_BY, sortedConnection, sortOrder } from '../sorted-connection.js';
import { WebhookOrderInput } from '../types/webhook-inputs.js';
import { WebhookConnection, WebhookObject } from '../types/webhook.js';

@Resolver()
export class WebhookQueries {
  @Authorized<Permission>('webhooks:read')
  @Query(() => WebhookObject, { nullable: true, description: 'One webhook; null when there is none of this id.' })
  async webhook(
    @Ctx() { loaders }: GraphqlContext,
    @Arg('id', () => ID, { description: 'Its id, `wh_…`.' }) id: string,
  ): Promise<WebhookObject | undefined> {
    const view = await loaders.webhooks.load(readId('webhook', id));
    return view && new WebhookObject(view);
  }

  @Authorized<Permission>('webhooks:read')
  @Query(() => WebhookConnection, { description: 'Webhooks, without an order the newest first.' })
  async webhooks(
    @Ctx() { services, principal }: GraphqlContext,
    @Args(() => ConnectionArgs) args: ConnectionArgs,
    @Arg('active', () => Boolean, { nullable: true, description: 'Only active ones, or only inactive ones.' })
    active: boolean | null | undefined,
    @Arg('text', () => String, { nullable: true, description: 'Part of the name or description, in any case.' })
    text: string | null | undefined,
    @Arg('workerId', () => ID, { nullable: true, description: 'Only those that run this worker.' })
    workerId: string | null | undefined,
    @Arg('orderBy', () => WebhookOrderInput, { nullable: true, description: ORDER_BY })
    orderBy: WebhookOrderInput | null | undefined,
  ): Promise<Connection<WebhookObject>> {
    const filter = {
      active: active ?? undefined,
      text: text ?? undefined,
      workerId: workerId ? readWorkerId(workerId) : undefined,
    };
    const order = orderBy ? sortOrder(orderBy) : NEWEST_WEBHOOKS_FIRST;
    const page = await listWebhooks(services, principal, filter, order, pageRequest(args));
    return new WebhookConnection(
      sortedConnection(
        page,
        (view) => new WebhookObject(view),
        () => countWebhooks(services, principal, filter),
      ),
    );
  }
}
