import { Arg, Authorized, Ctx, Mutation, Resolver } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { formatId } from '../../lib/ids.js';
import { createWebhook } from '../../webhooks/manage/create-webhook.js';
import { curlCommand } from '../../webhooks/manage/curl-command.js';
import { deleteWebhook } from '../../webhooks/manage/delete-webhook.js';
import { setActive } from '../../webhooks/manage/set-active.js';
import { updateWebhook } from '../../webhooks/manage/update-webhook.js';
import type { WebhookView } from '../../webhooks/manage/webhook-view.js';
import type { GraphqlContext } from '../context.js';
import { readId } from '../public-id.js';
import { ingressRules } from '../types/ingress-rules.js';
import { WebhookObject } from '../types/webhook.js';
import { flowSettings } from '../types/webhook-flow.js';
import {
  ActivateWebhookInput,
  CreateWebhookInput,
  DeactivateWebhookInput,
  DeleteWebhookInput,
  UpdateWebhookInput,
  type WebhookInput,
} from '../types/webhook-inputs.js';
import {
  ActivateWebhookPayload,
  CreateWebhookPayload,
  DeactivateWebhookPayload,
  DeleteWebhookPayload,
  UpdateWebhookPayload,
  type WebhookCallbackPayload,
  type WebhookPayload,
} from '../types/webhook-payloads.js';

/** What the ready-made command sends: any object will do for a first try. */
const EXAMPLE_BODY = '{"hello":"world"}';

@Resolver()
export class WebhookMutations {
  @Authorized<Permission>('webhooks:write')
  @Mutation(() => CreateWebhookPayload, {
    description: 'Makes a webhook. Its secret is shown this once.',
  })
  async createWebhook(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => CreateWebhookInput, { description: 'What it is to be.' }) input: CreateWebhookInput,
  ): Promise<CreateWebhookPayload> {
    const { syncTimeout: syncTimeoutMs, idempotencyWindow: idempotencyWindowMs, ...fields } = input;
    const outcome = await createWebhook(services, principal, {
      ...fields,
      syncTimeoutMs,
      idempotencyWindowMs,
      flow: flowSettings(input.flow),
    });
    if (!outcome.ok) return { userErrors: outcome.userErrors };
    const { webhook, secret, callbackSecret } = outcome.value;
    const curl = curlCommand({
      publicUrl: services.publicUrl(),
      webhookId: webhook.id,
      authentication: webhook.authentication,
      secret,
      body: EXAMPLE_BODY,
    });
    return { webhook: new WebhookObject(webhook), secret, curl, callbackSecret, userErrors: [] };
  }

  @Authorized<Permission>('webhooks:write')
  @Mutation(() => UpdateWebhookPayload, { description: 'Changes a webhook. What is left out stays as it is.' })
  async updateWebhook(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => UpdateWebhookInput, { description: 'What to change.' }) input: UpdateWebhookInput,
  ): Promise<WebhookCallbackPayload> {
    const outcome = await updateWebhook(services, principal, {
      id: readId('webhook', input.id),
      expectedVersion: input.expectedVersion ?? undefined,
      name: input.name ?? undefined,
      description: input.description,
      workerIds: input.workerIds ?? undefined,
      executionMode: input.executionMode ?? undefined,
      dispatch: input.dispatch ?? undefined,
      active: input.active ?? undefined,
      syncTimeoutMs: input.syncTimeout,
      idempotencyWindowMs: input.idempotencyWindow,
      idempotencyPointer: input.idempotencyPointer,
      callbackUrl: input.callbackUrl,
      ...ingressRules(input),
      flow: flowSettings(input.flow),
      authentication: input.authentication ?? undefined,
    });
    if (!outcome.ok) return { userErrors: outcome.userErrors };
    return { ...changed(outcome.value.webhook), callbackSecret: outcome.value.callbackSecret };
  }

  @Authorized<Permission>('webhooks:write')
  @Mutation(() => DeleteWebhookPayload, {
    description: 'Deletes a webhook: its URL answers 404 from then on. Its calls stay until their retention ends.',
  })
  async deleteWebhook(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => DeleteWebhookInput, { description: 'Which one.' }) input: WebhookInput,
  ): Promise<DeleteWebhookPayload> {
    const id = readId('webhook', input.id);
    await deleteWebhook(services, principal, { id, expectedVersion: input.expectedVersion ?? undefined });
    return { deletedWebhookId: formatId('webhook', id), userErrors: [] };
  }

  @Authorized<Permission>('webhooks:write')
  @Mutation(() => ActivateWebhookPayload, { description: 'Lets a webhook take calls. Doing it twice changes nothing.' })
  async activateWebhook(
    @Ctx() context: GraphqlContext,
    @Arg('input', () => ActivateWebhookInput, { description: 'Which one.' }) input: WebhookInput,
  ): Promise<WebhookPayload> {
    return await activate(context, input, true);
  }

  @Authorized<Permission>('webhooks:write')
  @Mutation(() => DeactivateWebhookPayload, {
    description: 'Lets a webhook answer 403 to its callers. Doing it twice changes nothing.',
  })
  async deactivateWebhook(
    @Ctx() context: GraphqlContext,
    @Arg('input', () => DeactivateWebhookInput, { description: 'Which one.' }) input: WebhookInput,
  ): Promise<WebhookPayload> {
    return await activate(context, input, false);
  }
}

async function activate(
  { services, principal }: GraphqlContext,
  { id, expectedVersion }: WebhookInput,
  active: boolean,
): Promise<WebhookPayload> {
  return changed(
    await setActive(services, principal, {
      id: readId('webhook', id),
      active,
      expectedVersion: expectedVersion ?? undefined,
    }),
  );
}

function changed(view: WebhookView): WebhookPayload {
  return { webhook: new WebhookObject(view), userErrors: [] };
}
