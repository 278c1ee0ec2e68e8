import { Arg, Authorized, Ctx, FieldResolver, Int, Mutation, Resolver, Root } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { setPaused } from '../../webhooks/flow/set-paused.js';
import type { GraphqlContext } from '../context.js';
import { readId } from '../public-id.js';
import { CallObject } from '../types/call.js';
import { WebhookObject } from '../types/webhook.js';
import { WebhookFlowObject } from '../types/webhook-flow.js';
import { PauseWebhookInput, ResumeWebhookInput, type WebhookInput } from '../types/webhook-inputs.js';
import { PauseWebhookPayload, ResumeWebhookPayload, type WebhookPayload } from '../types/webhook-payloads.js';

@Resolver(() => WebhookFlowObject)
export class WebhookFlowFields {
  @Authorized<Permission>('calls:read')
  @FieldResolver(() => Int, { description: 'How many calls wait for their turn.' })
  async waiting(@Root() { webhookId }: WebhookFlowObject, @Ctx() { loaders }: GraphqlContext): Promise<number> {
    return (await loaders.flowCounts.load(webhookId)).waiting;
  }

  @Authorized<Permission>('calls:read')
  @FieldResolver(() => Int, { description: 'How many calls are in progress.' })
  async running(@Root() { webhookId }: WebhookFlowObject, @Ctx() { loaders }: GraphqlContext): Promise<number> {
    return (await loaders.flowCounts.load(webhookId)).running;
  }
}

@Resolver(() => CallObject)
export class CallFlowFields {
  @FieldResolver(() => Int, {
    nullable: true,
    description:
      "Its place in its webhook's queue: 0 is in progress, 1 is the next one, 1,000 is that or any later place. Null when it has ended, or its webhook has no flow control.",
  })
  async queuePosition(@Root() { view }: CallObject, @Ctx() { loaders }: GraphqlContext): Promise<number | undefined> {
    return await loaders.queuePositions.load(view.id);
  }
}

@Resolver()
export class WebhookFlowMutations {
  @Authorized<Permission>('webhooks:write')
  @Mutation(() => PauseWebhookPayload, {
    description:
      'Lets a webhook keep its calls without running them; what is in progress goes on. Doing it twice changes nothing.',
  })
  async pauseWebhook(
    @Ctx() context: GraphqlContext,
    @Arg('input', () => PauseWebhookInput, { description: 'Which one.' }) input: WebhookInput,
  ): Promise<WebhookPayload> {
    return await pause(context, input, true);
  }

  @Authorized<Permission>('webhooks:write')
  @Mutation(() => ResumeWebhookPayload, {
    description: 'Runs the calls that a paused webhook has kept, in order. Doing it twice changes nothing.',
  })
  async resumeWebhook(
    @Ctx() context: GraphqlContext,
    @Arg('input', () => ResumeWebhookInput, { description: 'Which one.' }) input: WebhookInput,
  ): Promise<WebhookPayload> {
    return await pause(context, input, false);
  }
}

async function pause(
  { services, principal }: GraphqlContext,
  { id, expectedVersion }: WebhookInput,
  paused: boolean,
): Promise<WebhookPayload> {
  const webhook = await setPaused(services, principal, {
    id: readId('webhook', id),
    paused,
    expectedVersion: expectedVersion ?? undefined,
  });
  return { webhook: new WebhookObject(webhook), userErrors: [] };
}
