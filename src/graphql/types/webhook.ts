import { Field, ID, Int, ObjectType } from 'type-graphql';
import { formatId } from '../../lib/ids.js';
import type { AuthenticationView, SecretVersionView, WebhookView } from '../../webhooks/manage/webhook-view.js';
import { connectionType } from '../connections.js';
import { DateTime, Duration, Json } from '../scalars.js';
import { AuthenticationMethod, Dispatch, ExecutionMode } from './enums.js';
import { ClientCertificateRuleObject } from './ingress-rules.js';
import { NodeObject } from './node.js';
import { WebhookFlowObject } from './webhook-flow.js';

@ObjectType('WebhookAuthentication', { description: 'How callers of a webhook authenticate, defaults filled in.' })
export class WebhookAuthenticationObject implements AuthenticationView {
  constructor(view: AuthenticationView) {
    this.method = view.method;
    this.headerName = view.headerName;
    this.headerPrefix = view.headerPrefix;
    this.provider = view.provider;
    this.sender = view.sender;
  }

  @Field(() => AuthenticationMethod, {
    description: 'How callers prove themselves; it decides what `headerName`, `headerPrefix` and `verifier` mean.',
  })
  readonly method: AuthenticationView['method'];

  @Field(() => String, { description: 'The header that carries the credential.' })
  readonly headerName: string;

  @Field(() => String, { description: 'What stands before the credential in that header; often nothing.' })
  readonly headerPrefix: string;

  @Field(() => String, {
    description: 'The same as `headerPrefix`, under a shorter name.',
  })
  get prefix(): string {
    return this.headerPrefix;
  }

  @Field(() => ID, { nullable: true, description: 'The sender, for the method PROVIDER.' })
  readonly provider: string | null;

  @Field(() => Json, {
    name: 'verifier',
    nullable: true,
    description: 'With PROVIDER, how its requests are verified, in the form of `Provider.definition`.',
  })
  readonly sender: AuthenticationView['sender'];
}

@ObjectType('WebhookSecret', { description: 'One secret of a webhook, without its text.' })
export class WebhookSecretObject {
  @Field(() => ID, { description: 'The id of this secret.' })
  readonly id: string;

  @Field(() => String, { description: 'The end of the secret, by which its owner knows it again.' })
  readonly hint: string;

  @Field(() => DateTime, { description: 'When it was made.' })
  readonly createdAt: Date;

  @Field(() => DateTime, { nullable: true, description: 'When it ends or ended; null while it is the active one.' })
  readonly expiresAt: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'When a call last used it, to within some seconds.' })
  readonly lastUsedAt: Date | null;

  constructor(view: SecretVersionView) {
    this.id = formatId('secretVersion', view.id);
    this.hint = view.hint;
    this.createdAt = view.createdAt;
    this.expiresAt = view.expiresAt;
    this.lastUsedAt = view.lastUsedAt;
  }
}

@ObjectType('Webhook', {
  description: 'A URL that takes POSTs from one kind of sender, authenticates them and starts its workers.',
  implements: NodeObject,
})
export class WebhookObject extends NodeObject {
  constructor(readonly view: WebhookView) {
    super(formatId('webhook', view.id));
  }

  @Field(() => String, { description: 'What people call it, 1 to 200 characters. Not unique.' })
  get name(): string {
    return this.view.name;
  }

  @Field(() => String, { nullable: true, description: 'What it is for, at most 2,000 characters; null for none.' })
  get description(): string | null {
    return this.view.description;
  }

  @Field(() => Boolean, { description: 'False: callers get 403. Unlike `paused`, which takes calls and keeps them.' })
  get active(): boolean {
    return this.view.active;
  }

  @Field(() => ExecutionMode, { description: 'Whether its callers wait for the results.' })
  get executionMode(): WebhookView['executionMode'] {
    return this.view.executionMode;
  }

  @Field(() => Dispatch, { description: 'How it runs several workers.' })
  get dispatch(): WebhookView['dispatch'] {
    return this.view.dispatch;
  }

  @Field(() => Duration, {
    nullable: true,
    description: "How long a sync call waits for its results; null for the installation's setting.",
  })
  get syncTimeout(): number | null {
    return this.view.syncTimeoutMs;
  }

  @Field(() => Duration, {
    nullable: true,
    description: "How long a repeated call is known as one; null for the installation's setting.",
  })
  get idempotencyWindow(): number | null {
    return this.view.idempotencyWindowMs;
  }

  @Field(() => String, {
    nullable: true,
    description: 'The JSON pointer (RFC 6901) to the id in a body by which a repeated call is known; null for none.',
  })
  get idempotencyPointer(): string | null {
    return this.view.idempotencyPointer;
  }

  @Field(() => String, {
    nullable: true,
    description: 'The end of the secret that its callbacks are signed with, by which its owner knows it again.',
  })
  get callbackSecretHint(): string | null {
    return this.view.callback?.secretHint ?? null;
  }

  @Field(() => [String], { description: 'The addresses and CIDRs from which it takes calls; empty for all.' })
  get allowedCidrs(): readonly string[] {
    return this.view.rules.allowedCidrs ?? [];
  }

  @Field(() => [ClientCertificateRuleObject], {
    description: 'The client certificates with which it takes calls; empty when it asks for none.',
  })
  get clientCertificates(): readonly ClientCertificateRuleObject[] {
    return this.view.rules.clientCertificates ?? [];
  }

  @Field(() => String, { nullable: true, description: 'The condition that its calls must meet to run; null for none.' })
  get filter(): string | null {
    return this.view.rules.filter ?? null;
  }

  @Field(() => Int, {
    nullable: true,
    description: "The largest body that it takes, in bytes; null for the installation's setting.",
  })
  get bodyBytesMax(): number | null {
    return this.view.rules.bodyBytesMax ?? null;
  }

  @Field(() => Boolean, { description: 'Whether it takes scalars, arrays and empty bodies besides JSON objects.' })
  get acceptAnyJson(): boolean {
    return this.view.rules.acceptAnyJson ?? false;
  }

  @Field(() => Boolean, { description: 'Whether its calls are only kept at present.' })
  get paused(): boolean {
    return this.view.flow?.paused === true;
  }

  @Field(() => WebhookFlowObject, {
    nullable: true,
    description: 'Which of its calls may run when; null when they run as they come.',
  })
  get flow(): WebhookFlowObject | null {
    return this.view.flow && new WebhookFlowObject(this.view.id, this.view.flow);
  }

  @Field(() => WebhookAuthenticationObject, { description: 'How its callers authenticate.' })
  get authentication(): WebhookAuthenticationObject {
    return new WebhookAuthenticationObject(this.view.authentication);
  }

  @Field(() => [WebhookSecretObject], { description: 'Its ten newest secrets, the newest first; ended ones too.' })
  get secrets(): WebhookSecretObject[] {
    return this.view.secrets.map((secret) => new WebhookSecretObject(secret));
  }

  @Field(() => Int, { description: 'Goes up with every change; for `expectedVersion`.' })
  get version(): number {
    return this.view.version;
  }

  @Field(() => DateTime, { description: 'When it was made.' })
  get createdAt(): Date {
    return this.view.createdAt;
  }

  @Field(() => DateTime, { description: 'When it was last changed.' })
  get updatedAt(): Date {
    return this.view.updatedAt;
  }
}

export const WebhookConnection = connectionType('Webhook', () => WebhookObject);
