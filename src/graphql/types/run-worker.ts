import { Field, ID, InputType, ObjectType } from 'type-graphql';
import type { UserError } from '../../lib/user-error.js';
import { Json } from '../scalars.js';
import { CallObject } from './call.js';
import { ExecutionObject } from './execution.js';
import { USER_ERRORS, UserErrorObject, type WithUserErrors } from './user-error.js';

@InputType('RunWorkerInput', { description: 'A worker to run by hand, and with what.' })
export class RunWorkerInput {
  @Field(() => ID, { description: "The worker's id." })
  workerId!: string;

  @Field(() => Json, {
    description:
      'Any JSON, at most 1 MiB: the worker gets it as it would the body of a call. Checked against its input schema.',
  })
  input!: unknown;

  @Field(() => String, {
    nullable: true,
    description: 'Asked again with the same one within 24 hours, nothing new is run and the same run is given.',
  })
  idempotencyKey?: string | null;
}

@ObjectType('RunWorkerPayload', { description: 'What became of `runWorker`.' })
export class RunWorkerPayload implements WithUserErrors {
  @Field(() => CallObject, { nullable: true, description: 'The call that it is run for.' })
  readonly call?: CallObject;

  @Field(() => ExecutionObject, { nullable: true, description: 'The execution that runs it.' })
  readonly execution?: ExecutionObject;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}
