import { Field, ID, InputType, ObjectType } from 'type-graphql';
import type { WorkerVersionChoice as WorkerVersionChoiceName } from '../../executions/retry.js';
import type { UserError } from '../../lib/user-error.js';
import { CallObject } from './call.js';
import { WorkerVersionChoice } from './enums.js';
import { USER_ERRORS, UserErrorObject, type WithUserErrors } from './user-error.js';

@InputType('ReplayCallInput', { description: 'Which call to make anew, and how.' })
export class ReplayCallInput {
  @Field(() => ID, { description: "The call's id." })
  id!: string;

  @Field(() => WorkerVersionChoice, {
    defaultValue: 'PRESENT',
    description:
      "PRESENT: the webhook's workers as they are now. ORIGINAL: those of the first time, at their versions.",
  })
  workerVersion!: WorkerVersionChoiceName;

  @Field(() => String, {
    nullable: true,
    description: 'Asked again with the same one within 24 hours, nothing new is made and the same replay is given.',
  })
  idempotencyKey?: string | null;
}

@ObjectType('ReplayCallPayload', { description: 'What became of `replayCall`.' })
export class ReplayCallPayload implements WithUserErrors {
  @Field(() => CallObject, { nullable: true, description: 'The new call.' })
  readonly call?: CallObject;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}
