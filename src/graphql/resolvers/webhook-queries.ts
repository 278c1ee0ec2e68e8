import { Arg, Args, Authorized, Ctx, ID, Query, Resolver } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { countWebhooks, listWebhooks } from '../../webhooks/manage/list-webhooks.js';
import { type Connection, ConnectionArgs, pageRequest } from '../connections.js';
import type { GraphqlContext } from '../context.js';
import { readId, readWorkerId } from '../public-id.js';
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
    @Arg('orderBy', () => WebhookOrderInput, {
      nullable: true,
      description: 'In which order; a cursor is of one order.',
    })
    orderBy: WebhookOrderInput | null | undefined,
  ): Promise<Connection<WebhookObject>> {
    const { limit, fromEnd, after, before } = pageRequest(args);
    const filter = {
      active: active ?? undefined,
      text: text ?? undefined,
      workerId: workerId ? readWorkerId(workerId) : undefined,
    };
    const page = await listWebhooks(services, principal, {
      ...filter,
      ...(orderBy && { order: { field: orderBy.field, descending: orderBy.direction === 'DESC' } }),
      ...(fromEnd ? { last: limit } : { first: limit }),
      after,
      before,
    });
    return new WebhookConnection({
      ...page,
      edges: page.edges.map(({ cursor, webhook }) => ({ cursor, node: new WebhookObject(webhook) })),
      count: () => countWebhooks(services, principal, filter),
    });
  }
}
