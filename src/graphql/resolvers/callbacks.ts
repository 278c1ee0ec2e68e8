import { Arg, Args, Authorized, Ctx, FieldResolver, Mutation, Resolver, Root } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import type { CallbackAttemptView, CallbackStatus as CallbackStatusName } from '../../callbacks/callback.js';
import { regenerateCallbackSecret } from '../../callbacks/regenerate-callback-secret.js';
import { replayCallback } from '../../callbacks/replay-callback.js';
import { type Connection, ConnectionArgs } from '../connections.js';
import type { GraphqlContext } from '../context.js';
import { keysetConnection, keysetRequest } from '../keyset-connection.js';
import { readId } from '../public-id.js';
import { changedWebhook } from './changed-webhook.js';
import { CallObject } from '../types/call.js';
import {
  CallbackAttemptObject,
  CallbackConnection,
  CallbackObject,
  ReplayCallbackInput,
  ReplayCallbackPayload,
} from '../types/callback.js';
import { CallbackStatus } from '../types/enums.js';
import { WebhookObject } from '../types/webhook.js';
import { RegenerateWebhookCallbackSecretInput } from '../types/webhook-inputs.js';
import { RegenerateWebhookCallbackSecretPayload, type WebhookCallbackPayload } from '../types/webhook-payloads.js';

@Resolver(() => CallbackObject)
export class CallbackFields {
  @Authorized<Permission>('calls:read')
  @FieldResolver(() => CallObject, { nullable: true, description: 'The call whose end it tells.' })
  async call(@Root() { view }: CallbackObject, @Ctx() { loaders }: GraphqlContext): Promise<CallObject | undefined> {
    const call = await loaders.calls.load(view.callId);
    return call && new CallObject(call);
  }

  @Authorized<Permission>('calls:read')
  @FieldResolver(() => [CallbackAttemptObject], { description: 'Every attempt, the oldest first.' })
  async attempts(
    @Root() { view }: CallbackObject,
    @Ctx() { loaders }: GraphqlContext,
  ): Promise<readonly CallbackAttemptView[]> {
    return await loaders.attemptsOfCallbacks.load(view.id);
  }
}

@Resolver(() => CallObject)
export class CallbackOfCallField {
  @FieldResolver(() => CallbackObject, {
    nullable: true,
    description: 'How its end was told; null before its end, and when its webhook had no callback URL then.',
  })
  async callback(
    @Root() { view }: CallObject,
    @Ctx() { loaders }: GraphqlContext,
  ): Promise<CallbackObject | undefined> {
    const callback = await loaders.callbacksOfCalls.load(view.id);
    return callback && new CallbackObject(callback);
  }
}

@Resolver(() => WebhookObject)
export class CallbacksOfWebhookField {
  @Authorized<Permission>('calls:read')
  @FieldResolver(() => CallbackConnection, {
    description: 'Its callbacks in the order of their calls, the newest first.',
  })
  async callbacks(
    @Root() { view }: WebhookObject,
    @Ctx() { loaders }: GraphqlContext,
    @Args(() => ConnectionArgs) args: ConnectionArgs,
    @Arg('statuses', () => [CallbackStatus], { nullable: true, description: 'Only those with one of these statuses.' })
    given: CallbackStatusName[] | null | undefined,
  ): Promise<Connection<CallbackObject>> {
    const statuses = given ?? undefined;
    const page = await loaders.callbacksOfWebhooks.load(view.id, { ...keysetRequest('callback', args), statuses });
    return new CallbackConnection(
      keysetConnection(
        page,
        (callback) => new CallbackObject(callback),
        () => loaders.callbackTotalsOfWebhooks.load(view.id, { statuses }),
      ),
    );
  }
}

@Resolver()
export class CallbackMutations {
  @Authorized<Permission>('executions:operate')
  @Mutation(() => ReplayCallbackPayload, {
    description: 'Sends a callback again, with all attempts of the schedule and the same `webhook-id`.',
  })
  async replayCallback(
    @Ctx() { services, principal, loaders }: GraphqlContext,
    @Arg('input', () => ReplayCallbackInput, { description: 'Which one.' }) input: ReplayCallbackInput,
  ): Promise<ReplayCallbackPayload> {
    const id = readId('callback', input.id);
    const outcome = await replayCallback(services.database.pool, principal, { id });
    if (!outcome.ok) return { userErrors: outcome.userErrors };
    const view = await loaders.callbacks.clear(id).load(id);
    return { ...(view !== undefined && { callback: new CallbackObject(view) }), userErrors: [] };
  }

  @Authorized<Permission>('webhooks:rotate-secret')
  @Mutation(() => RegenerateWebhookCallbackSecretPayload, {
    description: 'Replaces the secret that the callbacks of a webhook are signed with, at once.',
  })
  async regenerateWebhookCallbackSecret(
    @Ctx() context: GraphqlContext,
    @Arg('input', () => RegenerateWebhookCallbackSecretInput, { description: 'Which webhook.' })
    input: RegenerateWebhookCallbackSecretInput,
  ): Promise<WebhookCallbackPayload> {
    const webhookId = readId('webhook', input.id);
    const outcome = await regenerateCallbackSecret(context.services, context.principal, { webhookId });
    if (!outcome.ok) return { userErrors: outcome.userErrors };
    return {
      ...(await changedWebhook(context, webhookId)),
      callbackSecret: outcome.value,
      userErrors: [],
    };
  }
}
