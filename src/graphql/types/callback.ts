import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import type { CallbackAttemptView, CallbackView } from '../../callbacks/callback.js';
import { formatId } from '../../lib/ids.js';
import type { UserError } from '../../lib/user-error.js';
import { connectionType } from '../connections.js';
import { DateTime } from '../scalars.js';
import { CallbackStatus } from './enums.js';
import { NodeObject } from './node.js';
import { USER_ERRORS, UserErrorObject, type WithUserErrors } from './user-error.js';

@ObjectType('Callback', {
  description: "The word of a call's end to its webhook's callback URL. Its id is the `webhook-id` of every attempt.",
  implements: NodeObject,
})
export class CallbackObject extends NodeObject {
  constructor(readonly view: CallbackView) {
    super(formatId('callback', view.id));
  }

  @Field(() => CallbackStatus, { description: 'Where it stands.' })
  get status(): CallbackView['status'] {
    return this.view.status;
  }

  @Field(() => Int, { description: 'How many requests were sent so far, those after `replayCallback` included.' })
  get attemptCount(): number {
    return this.view.attempts;
  }

  @Field(() => DateTime, { description: 'When its call ended.' })
  get createdAt(): Date {
    return this.view.createdAt;
  }

  @Field(() => DateTime, { nullable: true, description: 'When it is tried next; null when it is not.' })
  get nextAttemptAt(): Date | null {
    return this.view.nextAttemptAt;
  }

  @Field(() => DateTime, { nullable: true, description: 'When it succeeded or was given up.' })
  get finishedAt(): Date | null {
    return this.view.finishedAt;
  }
}

@ObjectType('CallbackAttempt', { description: 'One try of a callback.' })
export class CallbackAttemptObject implements CallbackAttemptView {
  @Field(() => Int, {
    description: 'Which attempt of the callback it is, from 1; goes on counting after `replayCallback`.',
  })
  readonly number!: number;

  @Field(() => DateTime, { description: 'When the request was sent. One attempt has 15 s.' })
  readonly at!: Date;

  @Field(() => Int, { description: 'Milliseconds until it was answered or given up.' })
  readonly durationMs!: number;

  @Field(() => Int, { nullable: true, description: "The receiver's status; null without an answer." })
  readonly httpStatus!: number | null;

  @Field(() => String, { nullable: true, description: 'Why it did not succeed, for a person.' })
  readonly error!: string | null;

  @Field(() => String, { nullable: true, description: "The first 4 KiB of the receiver's answer." })
  readonly responseBody!: string | null;
}

export const CallbackConnection = connectionType('Callback', () => CallbackObject);

@InputType('ReplayCallbackInput', { description: 'Which callback to send again.' })
export class ReplayCallbackInput {
  @Field(() => ID, { description: "The callback's id." })
  id!: string;
}

@ObjectType('ReplayCallbackPayload', { description: 'What became of `replayCallback`.' })
export class ReplayCallbackPayload implements WithUserErrors {
  @Field(() => CallbackObject, { nullable: true, description: 'The callback as it is now.' })
  readonly callback?: CallbackObject;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}
