import { Field, ID, InputType, Int } from 'type-graphql';
import type { Dispatch as DispatchName, ExecutionMode as ExecutionModeName } from '../../calls/call-modes.js';
import type { WebhookOrderField as WebhookOrderFieldName } from '../../webhooks/manage/list-webhooks.js';
import type { AuthenticationMethod as AuthenticationMethodName } from '../../webhooks/webhook.entity.js';
import { Duration, Json } from '../scalars.js';
import { AuthenticationMethod, Dispatch, ExecutionMode, OrderDirection, WebhookOrderField } from './enums.js';
import { EXPECTED_VERSION } from './expected-version.js';
import { ClientCertificateRuleInput, RULE_FIELDS } from './ingress-rules.js';
import { WebhookFlowInput } from './webhook-flow.js';
import { IDEMPOTENCY_KEY } from './idempotency-key.js';

@InputType('WebhookAuthenticationInput', { description: 'How callers of a webhook are to authenticate.' })
export class WebhookAuthenticationInput {
  @Field(() => AuthenticationMethod, {
    description: 'How callers are to prove themselves. CUSTOM_HEADER needs `headerName`, PROVIDER needs `provider`.',
  })
  method!: AuthenticationMethodName;

  @Field(() => String, {
    nullable: true,
    description: "The header that carries the credential; without it the method's own. CUSTOM_HEADER needs it.",
  })
  headerName?: string | null;

  @Field(() => String, {
    nullable: true,
    description: "What stands before the credential; without it the method's own, empty for nothing.",
  })
  headerPrefix?: string | null;

  @Field(() => ID, {
    nullable: true,
    description: 'The sender, one of `providers`. PROVIDER needs it, and takes no header name or prefix.',
  })
  provider?: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'A secret that the sender made, 16 to 4,096 printable ASCII characters; without it a new one is made.',
  })
  secret?: string | null;
}

@InputType('CreateWebhookInput', { description: 'What a new webhook is to be.' })
export class CreateWebhookInput {
  @Field(() => String, { description: 'A name, 1 to 200 characters.' })
  name!: string;

  @Field(() => String, { nullable: true, description: 'What it is for, at most 2,000 characters.' })
  description?: string | null;

  @Field(() => [ID], { description: 'The workers that each call runs, 1 to 20, in the order of running.' })
  workerIds!: string[];

  @Field(() => ExecutionMode, { defaultValue: 'ASYNC', description: 'Whether its callers wait for the results.' })
  executionMode!: ExecutionModeName;

  @Field(() => Dispatch, { defaultValue: 'PARALLEL', description: 'How it runs several workers.' })
  dispatch!: DispatchName;

  @Field(() => Boolean, { defaultValue: true, description: 'Whether it takes calls from the start.' })
  active!: boolean;

  @Field(() => Duration, {
    nullable: true,
    description: "How long a sync call waits, 1 ms to 5 minutes; without it the installation's setting.",
  })
  syncTimeout?: number | null;

  @Field(() => Duration, {
    nullable: true,
    description: "How long a repeated call is known as one, 1 s to 7 days; without it the installation's setting.",
  })
  idempotencyWindow?: number | null;

  @Field(() => String, {
    nullable: true,
    description:
      'A JSON pointer (RFC 6901) such as `/event/id`: where a body has the id by which a repeated call is known. An Idempotency-Key header goes before it.',
  })
  idempotencyPointer?: string | null;

  @Field(() => String, {
    nullable: true,
    description:
      'Where the end of each call is told: an http or https URL that takes a POST, at most 2,048 characters.',
  })
  callbackUrl?: string | null;
  @Field(() => [String], RULE_FIELDS.allowedCidrs)
  allowedCidrs?: string[] | null;

  @Field(() => [ClientCertificateRuleInput], RULE_FIELDS.clientCertificates)
  clientCertificates?: ClientCertificateRuleInput[] | null;

  @Field(() => String, RULE_FIELDS.filter)
  filter?: string | null;

  @Field(() => Int, RULE_FIELDS.bodyBytesMax)
  bodyBytesMax?: number | null;

  @Field(() => Boolean, RULE_FIELDS.acceptAnyJson)
  acceptAnyJson?: boolean | null;
  @Field(() => WebhookFlowInput, {
    nullable: true,
    description: 'Which of its calls may run when; without it they run as they come.',
  })
  flow?: WebhookFlowInput | null;

  @Field(() => WebhookAuthenticationInput, { description: 'How its callers authenticate.' })
  authentication!: WebhookAuthenticationInput;

  @Field(() => String, IDEMPOTENCY_KEY)
  idempotencyKey?: string | null;
}

@InputType('WebhookOrderInput', { description: 'How a list of webhooks is ordered.' })
export class WebhookOrderInput {
  @Field(() => WebhookOrderField, { description: 'The field to order by; ties are ordered by id.' })
  field!: WebhookOrderFieldName;

  @Field(() => OrderDirection, { description: 'Which way.' })
  direction!: 'ASC' | 'DESC';
}

@InputType('UpdateWebhookInput', { description: 'What to change of a webhook. What is left out stays as it is.' })
export class UpdateWebhookInput {
  @Field(() => ID, { description: "The webhook's id." })
  id!: string;

  @Field(() => Int, EXPECTED_VERSION)
  expectedVersion?: number | null;

  @Field(() => String, { nullable: true, description: 'Another name.' })
  name?: string | null;

  @Field(() => String, { nullable: true, description: 'Another description; null for none.' })
  description?: string | null;

  @Field(() => [ID], { nullable: true, description: 'Other workers, in the order of running.' })
  workerIds?: string[] | null;

  @Field(() => ExecutionMode, { nullable: true, description: 'Whether its callers wait for the results.' })
  executionMode?: ExecutionModeName | null;

  @Field(() => Dispatch, { nullable: true, description: 'How it runs several workers.' })
  dispatch?: DispatchName | null;

  @Field(() => Boolean, { nullable: true, description: 'Whether it takes calls.' })
  active?: boolean | null;

  @Field(() => Duration, {
    nullable: true,
    description: "How long a sync call waits; null for the installation's setting.",
  })
  syncTimeout?: number | null;

  @Field(() => Duration, {
    nullable: true,
    description: "How long a repeated call is known as one; null for the installation's setting.",
  })
  idempotencyWindow?: number | null;

  @Field(() => String, {
    nullable: true,
    description:
      'Where a body has the id by which a repeated call is known, as a JSON pointer (RFC 6901); null for none.',
  })
  idempotencyPointer?: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'Where the end of each call is told; null for nowhere, which also forgets the signing secret.',
  })
  callbackUrl?: string | null;
  @Field(() => [String], RULE_FIELDS.allowedCidrs)
  allowedCidrs?: string[] | null;

  @Field(() => [ClientCertificateRuleInput], RULE_FIELDS.clientCertificates)
  clientCertificates?: ClientCertificateRuleInput[] | null;

  @Field(() => String, RULE_FIELDS.filter)
  filter?: string | null;

  @Field(() => Int, RULE_FIELDS.bodyBytesMax)
  bodyBytesMax?: number | null;

  @Field(() => Boolean, RULE_FIELDS.acceptAnyJson)
  acceptAnyJson?: boolean | null;
  @Field(() => WebhookFlowInput, {
    nullable: true,
    description: 'Which of its calls may run when, as a whole; null lets them run as they come.',
  })
  flow?: WebhookFlowInput | null;

  @Field(() => WebhookAuthenticationInput, {
    nullable: true,
    description:
      'How its callers authenticate, as a whole. The present secrets stay valid, unless a secret is given: that takes their place at once.',
  })
  authentication?: WebhookAuthenticationInput | null;
}

/** Which webhook a mutation is for. */
export interface WebhookInput {
  id: string;
  expectedVersion?: number | null;
}

/** Each mutation has a type of its own, so that it can grow by itself. */
function webhookInput(typeName: string, description: string): new () => WebhookInput {
  @InputType(typeName, { description })
  class Input implements WebhookInput {
    @Field(() => ID, { description: "The webhook's id." })
    id!: string;

    @Field(() => Int, EXPECTED_VERSION)
    expectedVersion?: number | null;
  }
  return Input;
}

export const ActivateWebhookInput = webhookInput('ActivateWebhookInput', 'Which webhook to activate.');
export const DeactivateWebhookInput = webhookInput('DeactivateWebhookInput', 'Which webhook to deactivate.');
export const PauseWebhookInput = webhookInput('PauseWebhookInput', 'Which webhook to pause.');
export const ResumeWebhookInput = webhookInput('ResumeWebhookInput', 'Which webhook to resume.');
export const DeleteWebhookInput = webhookInput('DeleteWebhookInput', 'Which webhook to delete.');

@InputType('RevealWebhookSecretInput', { description: "Which webhook's secret to show." })
export class RevealWebhookSecretInput {
  @Field(() => ID, { description: "The webhook's id." })
  id!: string;
}

@InputType('RegenerateWebhookSecretInput', { description: "Which webhook's secret to replace." })
export class RegenerateWebhookSecretInput {
  @Field(() => ID, { description: "The webhook's id." })
  id!: string;

  @Field(() => String, {
    nullable: true,
    description:
      'A secret that the sender made; without it a new one is made. Needed where the sender makes the secret.',
  })
  secret?: string | null;
}

@InputType('ExpireWebhookSecretInput', { description: 'Which secret to end.' })
export class ExpireWebhookSecretInput {
  @Field(() => ID, { description: "The secret's id, one of `Webhook.secrets`." })
  id!: string;
}

@InputType('RegenerateWebhookCallbackSecretInput', {
  description: "Of which webhook to replace the callbacks' signing secret.",
})
export class RegenerateWebhookCallbackSecretInput {
  @Field(() => ID, { description: "The webhook's id." })
  id!: string;
}

@InputType('RotateWebhookSecretInput', { description: 'How to rotate a secret.' })
export class RotateWebhookSecretInput {
  @Field(() => ID, { description: "The webhook's id." })
  id!: string;

  @Field(() => Duration, {
    defaultValue: 86_400_000,
    nullable: true,
    description: 'How long the secret that is active now stays valid, at most 30 days; PT0S ends it at once.',
  })
  overlap?: number | null;

  @Field(() => String, {
    nullable: true,
    description:
      'A secret that the sender made; without it a new one is made. Needed where the sender makes the secret.',
  })
  secret?: string | null;
}

@InputType('TestWebhookInput', { description: 'A call to try a webhook with.' })
export class TestWebhookInput {
  @Field(() => ID, { description: "The webhook's id." })
  id!: string;

  @Field(() => Json, { description: 'The body to send.' })
  payload!: unknown;

  @Field(() => Json, { nullable: true, description: 'More headers: an object of names and texts.' })
  headers?: unknown;

  @Field(() => String, {
    nullable: true,
    description:
      'The call of a repeat with the same key is the first one: sent as Idempotency-Key, 1 to 255 printable ASCII characters.',
  })
  idempotencyKey?: string | null;
}
