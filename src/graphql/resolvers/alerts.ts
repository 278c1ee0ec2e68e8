import {
  Arg,
  Args,
  ArgsType,
  Authorized,
  Ctx,
  Field,
  FieldResolver,
  ID,
  Mutation,
  Query,
  Resolver,
  Root,
} from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import type { AlertKind as AlertKindName, AlertStatus as AlertStatusName } from '../../alerts/alert.js';
import { countAlerts, listAlerts } from '../../alerts/read-alerts.js';
import { acknowledgeAlert, resolveAlert } from '../../alerts/settle-alert.js';
import type { Connection } from '../connections.js';
import type { GraphqlContext } from '../context.js';
import { keysetConnection, ListedArgs, listedPage } from '../keyset-connection.js';
import { readId } from '../public-id.js';
import {
  AcknowledgeAlertInput,
  AcknowledgeAlertPayload,
  AlertConnection,
  AlertObject,
  type AlertPayload,
  ResolveAlertInput,
  ResolveAlertPayload,
} from '../types/alert.js';
import { AlertKind, AlertStatus } from '../types/enums.js';
import { UserObject } from '../types/user.js';
import { WebhookObject } from '../types/webhook.js';

@ArgsType()
class AlertsArgs extends ListedArgs {
  @Field(() => ID, { nullable: true, description: 'Only those of this webhook.' })
  webhookId?: string | null;

  @Field(() => [AlertStatus], { nullable: true, description: 'Only those with one of these statuses.' })
  statuses?: AlertStatusName[] | null;

  @Field(() => [AlertKind], { nullable: true, description: 'Only those of one of these kinds.' })
  kinds?: AlertKindName[] | null;
}

@Resolver()
export class AlertQueries {
  @Authorized<Permission>('alerts:read')
  @Query(() => AlertObject, { nullable: true, description: 'One alert; null when there is none.' })
  async alert(
    @Ctx() { loaders }: GraphqlContext,
    @Arg('id', () => ID, { description: 'Its id, `alert-…`.' }) id: string,
  ): Promise<AlertObject | undefined> {
    const view = await loaders.alerts.load(readId('alert', id));
    return view && new AlertObject(view);
  }

  @Authorized<Permission>('alerts:read')
  @Query(() => AlertConnection, { description: 'Alerts, the newest first unless `order` says otherwise.' })
  async alerts(
    @Ctx() { services, principal }: GraphqlContext,
    @Args(() => AlertsArgs) args: AlertsArgs,
  ): Promise<Connection<AlertObject>> {
    const sql = services.database.pool;
    const filter = {
      webhookId:
        args.webhookId === null || args.webhookId === undefined ? undefined : readId('webhook', args.webhookId),
      statuses: args.statuses ?? undefined,
      kinds: args.kinds ?? undefined,
    };
    const page = await listedPage('alert', args, (request) => listAlerts(sql, principal, filter, request));
    return new AlertConnection(
      keysetConnection(
        page,
        (view) => new AlertObject(view),
        () => countAlerts(sql, principal, filter),
      ),
    );
  }
}

@Resolver(() => AlertObject)
export class AlertFields {
  @Authorized<Permission>('webhooks:read')
  @FieldResolver(() => WebhookObject, { nullable: true, description: 'Whose calls; null when it was deleted.' })
  async webhook(@Root() { view }: AlertObject, @Ctx() { loaders }: GraphqlContext): Promise<WebhookObject | undefined> {
    const webhook = await loaders.webhooks.load(view.webhookId);
    return webhook && new WebhookObject(webhook);
  }

  @Authorized<Permission>('users:read')
  @FieldResolver(() => UserObject, { nullable: true, description: 'Who acknowledged it.' })
  async acknowledgedBy(@Root() { view }: AlertObject, @Ctx() context: GraphqlContext): Promise<UserObject | undefined> {
    return await readUser(context, view.acknowledgedBy);
  }

  @Authorized<Permission>('users:read')
  @FieldResolver(() => UserObject, { nullable: true, description: 'Who resolved it; null when it resolved itself.' })
  async resolvedBy(@Root() { view }: AlertObject, @Ctx() context: GraphqlContext): Promise<UserObject | undefined> {
    return await readUser(context, view.resolvedBy);
  }
}

@Resolver()
export class AlertMutations {
  @Authorized<Permission>('alerts:operate')
  @Mutation(() => AcknowledgeAlertPayload, { description: 'Says that you look after an alert.' })
  async acknowledgeAlert(
    @Ctx() context: GraphqlContext,
    @Arg('input', () => AcknowledgeAlertInput, { description: 'Which one.' }) input: AcknowledgeAlertInput,
  ): Promise<AlertPayload> {
    return await settle(context, input.id, acknowledgeAlert);
  }

  @Authorized<Permission>('alerts:operate')
  @Mutation(() => ResolveAlertPayload, {
    description: 'Says that an alert is dealt with. While its pattern goes on, it is not opened again.',
  })
  async resolveAlert(
    @Ctx() context: GraphqlContext,
    @Arg('input', () => ResolveAlertInput, { description: 'Which one.' }) input: ResolveAlertInput,
  ): Promise<AlertPayload> {
    return await settle(context, input.id, resolveAlert);
  }
}

async function settle(
  { services, principal, loaders }: GraphqlContext,
  publicId: string,
  useCase: typeof acknowledgeAlert,
): Promise<AlertPayload> {
  const id = readId('alert', publicId);
  const outcome = await useCase(services.database.pool, principal, { id });
  if (!outcome.ok) return { userErrors: outcome.userErrors };
  const view = await loaders.alerts.clear(id).load(id);
  return { ...(view !== undefined && { alert: new AlertObject(view) }), userErrors: [] };
}

async function readUser({ loaders }: GraphqlContext, id: string | null): Promise<UserObject | undefined> {
  const user = id === null ? undefined : await loaders.users.load(id);
  return user && new UserObject(user);
}
