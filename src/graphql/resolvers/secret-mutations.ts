import { Arg, Authorized, Ctx, Mutation, Resolver } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { revealSecret } from '../../secrets/reveal-secret.js';
import type { NewSecret } from '../../secrets/secret-versions.js';
import {
  expireWebhookSecret,
  regenerateWebhookSecret,
  rotateWebhookSecret,
} from '../../webhooks/manage/rotate-webhook-secret.js';
import type { GraphqlContext } from '../context.js';
import { readId } from '../public-id.js';
import { changedWebhook } from './changed-webhook.js';
import {
  ExpireWebhookSecretInput,
  RegenerateWebhookSecretInput,
  RevealWebhookSecretInput,
  RotateWebhookSecretInput,
} from '../types/webhook-inputs.js';
import {
  ExpireWebhookSecretPayload,
  RegenerateWebhookSecretPayload,
  RevealWebhookSecretPayload,
  RotateWebhookSecretPayload,
  type WebhookPayload,
  type WebhookSecretPayload,
} from '../types/webhook-payloads.js';

const DAY_MS = 86_400_000;

@Resolver()
export class SecretMutations {
  @Authorized<Permission>('webhooks:reveal-secret')
  @Mutation(() => RevealWebhookSecretPayload, {
    description: 'Shows the secret that is active now. It is recorded who saw it.',
  })
  async revealWebhookSecret(
    @Ctx() context: GraphqlContext,
    @Arg('input', () => RevealWebhookSecretInput, { description: 'Which one.' }) input: RevealWebhookSecretInput,
  ): Promise<WebhookSecretPayload> {
    const webhookId = readId('webhook', input.id);
    const { secret } = await revealSecret(context.services, context.principal, { webhookId });
    return await shown(context, webhookId, { secret, previousExpiresAt: null });
  }

  @Authorized<Permission>('webhooks:rotate-secret')
  @Mutation(() => RegenerateWebhookSecretPayload, {
    description:
      'Gives a webhook a new secret and ends all others at once: for a secret that leaked. Where the sender makes the secret, bring its new one.',
  })
  async regenerateWebhookSecret(
    @Ctx() context: GraphqlContext,
    @Arg('input', () => RegenerateWebhookSecretInput, { description: 'Which one.' })
    input: RegenerateWebhookSecretInput,
  ): Promise<WebhookSecretPayload> {
    const webhookId = readId('webhook', input.id);
    const outcome = await regenerateWebhookSecret(context.services, context.principal, {
      webhookId,
      secret: input.secret ?? undefined,
    });
    return outcome.ok ? await shown(context, webhookId, outcome.value) : { userErrors: outcome.userErrors };
  }

  @Authorized<Permission>('webhooks:rotate-secret')
  @Mutation(() => RotateWebhookSecretPayload, {
    description: 'Gives a webhook a new secret and lets the one that is active now retire.',
  })
  async rotateWebhookSecret(
    @Ctx() context: GraphqlContext,
    @Arg('input', () => RotateWebhookSecretInput, { description: 'Which one, and how.' })
    input: RotateWebhookSecretInput,
  ): Promise<WebhookSecretPayload> {
    const webhookId = readId('webhook', input.id);
    const outcome = await rotateWebhookSecret(context.services, context.principal, {
      webhookId,
      overlapMs: input.overlap ?? DAY_MS,
      secret: input.secret ?? undefined,
    });
    return outcome.ok ? await shown(context, webhookId, outcome.value) : { userErrors: outcome.userErrors };
  }

  @Authorized<Permission>('webhooks:rotate-secret')
  @Mutation(() => ExpireWebhookSecretPayload, {
    description:
      'Ends a retiring secret before its time: its senders have all followed. The active one stays, except where the sender makes the secrets: then nothing is accepted until its next one is brought.',
  })
  async expireWebhookSecret(
    @Ctx() context: GraphqlContext,
    @Arg('input', () => ExpireWebhookSecretInput, { description: 'Which one.' }) input: ExpireWebhookSecretInput,
  ): Promise<WebhookPayload> {
    const { services, principal } = context;
    const outcome = await expireWebhookSecret(services, principal, { secretId: readId('secretVersion', input.id) });
    if (!outcome.ok) return { userErrors: outcome.userErrors };
    return { ...(await changedWebhook(context, outcome.value.webhookId)), userErrors: [] };
  }
}

async function shown(
  context: GraphqlContext,
  webhookId: string,
  { secret, previousExpiresAt }: Pick<NewSecret, 'secret' | 'previousExpiresAt'>,
): Promise<WebhookSecretPayload> {
  return {
    ...(await changedWebhook(context, webhookId)),
    secret,
    previousSecretExpiresAt: previousExpiresAt,
    userErrors: [],
  };
}
