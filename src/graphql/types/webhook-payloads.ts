import { Field, ID, Int, ObjectType } from 'type-graphql';
import type { UserError } from '../../lib/user-error.js';
import { DateTime } from '../scalars.js';
import { CallObject } from './call.js';
import { USER_ERRORS, UserErrorObject, type WithUserErrors } from './user-error.js';
import { WebhookObject } from './webhook.js';
import { payloadType } from './payload-type.js';

@ObjectType('CreateWebhookPayload', { description: 'What became of `createWebhook`.' })
export class CreateWebhookPayload implements WithUserErrors {
  @Field(() => WebhookObject, { nullable: true, description: 'The new webhook.' })
  readonly webhook?: WebhookObject;

  @Field(() => String, {
    nullable: true,
    description: 'Its secret, shown this once: not to a repeat with the same key.',
  })
  readonly secret?: string | undefined;

  @Field(() => String, { nullable: true, description: 'A shell command that calls it, with the secret in it.' })
  readonly curl?: string;

  @Field(() => String, {
    nullable: true,
    description: 'The secret that its callbacks are signed with, shown this once; null without a callback URL.',
  })
  readonly callbackSecret?: string | undefined;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}

/** What most changes of a webhook give: each mutation has a type of its own, so that it can grow by itself. */
export interface WebhookPayload extends WithUserErrors {
  readonly webhook?: WebhookObject;
}

/** A change that can make or replace the signing secret of the callbacks. */
export interface WebhookCallbackPayload extends WebhookPayload {
  readonly callbackSecret?: string | undefined;
}

function webhookCallbackPayload(
  typeName: string,
  mutation: string,
  secretDescription: string,
): new () => WebhookCallbackPayload {
  @ObjectType(typeName, { description: `What became of \`${mutation}\`.` })
  class Payload implements WebhookCallbackPayload {
    @Field(() => WebhookObject, { nullable: true, description: 'The webhook as it is now.' })
    readonly webhook?: WebhookObject;

    @Field(() => String, { nullable: true, description: secretDescription })
    readonly callbackSecret?: string | undefined;

    @Field(() => [UserErrorObject], USER_ERRORS)
    readonly userErrors!: readonly UserError[];
  }
  return Payload;
}

export const UpdateWebhookPayload = webhookCallbackPayload(
  'UpdateWebhookPayload',
  'updateWebhook',
  'The secret that its callbacks are signed with, shown this once; null unless it got its first callback URL.',
);
export const RegenerateWebhookCallbackSecretPayload = webhookCallbackPayload(
  'RegenerateWebhookCallbackSecretPayload',
  'regenerateWebhookCallbackSecret',
  'The secret that its callbacks are signed with from now on, shown this once.',
);
const webhookPayload = (mutation: string): new () => WebhookPayload =>
  payloadType<WebhookPayload>(mutation, 'webhook', () => WebhookObject, 'The webhook as it is now.');

export const ActivateWebhookPayload = webhookPayload('activateWebhook');
export const DeactivateWebhookPayload = webhookPayload('deactivateWebhook');
export const ExpireWebhookSecretPayload = webhookPayload('expireWebhookSecret');
export const PauseWebhookPayload = webhookPayload('pauseWebhook');
export const ResumeWebhookPayload = webhookPayload('resumeWebhook');

@ObjectType('DeleteWebhookPayload', { description: 'What became of `deleteWebhook`.' })
export class DeleteWebhookPayload implements WithUserErrors {
  @Field(() => ID, { nullable: true, description: 'The id of the webhook that is gone.' })
  readonly deletedWebhookId?: string;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}

/** A webhook's secret, shown because somebody asked for it. */
export interface WebhookSecretPayload extends WebhookPayload {
  readonly secret?: string;
  readonly previousSecretExpiresAt?: Date | null;
}

function webhookSecretPayload(typeName: string, mutation: string): new () => WebhookSecretPayload {
  @ObjectType(typeName, { description: `What became of \`${mutation}\`.` })
  class Payload implements WebhookSecretPayload {
    @Field(() => WebhookObject, { nullable: true, description: 'The webhook as it is now.' })
    readonly webhook?: WebhookObject;

    @Field(() => String, { nullable: true, description: 'The secret that is active now.' })
    readonly secret?: string;

    @Field(() => DateTime, {
      nullable: true,
      description: 'When the secret that was active before ends or ended; null when there was none or nothing changed.',
    })
    readonly previousSecretExpiresAt?: Date | null;

    @Field(() => [UserErrorObject], USER_ERRORS)
    readonly userErrors!: readonly UserError[];
  }
  return Payload;
}

export const RevealWebhookSecretPayload = webhookSecretPayload('RevealWebhookSecretPayload', 'revealWebhookSecret');
export const RegenerateWebhookSecretPayload = webhookSecretPayload(
  'RegenerateWebhookSecretPayload',
  'regenerateWebhookSecret',
);
export const RotateWebhookSecretPayload = webhookSecretPayload('RotateWebhookSecretPayload', 'rotateWebhookSecret');

@ObjectType('TestWebhookPayload', { description: 'What a webhook answered to a test.' })
export class TestWebhookPayload implements WithUserErrors {
  @Field(() => CallObject, { nullable: true, description: 'The call as it is recorded; null when none was stored.' })
  readonly call?: CallObject;

  @Field(() => Int, { nullable: true, description: 'The HTTP status of the answer.' })
  readonly httpStatus?: number;

  @Field(() => String, { nullable: true, description: 'The body of the answer.' })
  readonly responseBody?: string;

  @Field(() => String, {
    nullable: true,
    description: 'A shell command that sends the same; it reads the secret from the variable WEBHOOK_SECRET.',
  })
  readonly curl?: string;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}
