import { Field, ID, InputType, ObjectType } from 'type-graphql';
import type { WorkerVersionChoice as WorkerVersionChoiceName } from '../../executions/retry.js';
import type { UserError } from '../../lib/user-error.js';
import { WorkerVersionChoice } from './enums.js';
import { ExecutionObject } from './execution.js';
import { USER_ERRORS, UserErrorObject, type WithUserErrors } from './user-error.js';

@InputType('CancelExecutionInput', { description: 'Which execution to end early.' })
export class CancelExecutionInput {
  @Field(() => ID, { description: "The execution's id." })
  id!: string;
}

@InputType('RetryExecutionInput', { description: 'Which execution to run once more.' })
export class RetryExecutionInput {
  @Field(() => ID, { description: "The execution's id." })
  id!: string;

  @Field(() => WorkerVersionChoice, { defaultValue: 'PRESENT', description: "The worker's version to run." })
  workerVersion!: WorkerVersionChoiceName;
}

/** What a change of an execution gives: each mutation has a type of its own, so that it can grow by itself. */
export interface ExecutionPayload extends WithUserErrors {
  readonly execution?: ExecutionObject;
}

function executionPayload(typeName: string, mutation: string, description: string): new () => ExecutionPayload {
  @ObjectType(typeName, { description: `What became of \`${mutation}\`.` })
  class Payload implements ExecutionPayload {
    @Field(() => ExecutionObject, { nullable: true, description })
    readonly execution?: ExecutionObject;

    @Field(() => [UserErrorObject], USER_ERRORS)
    readonly userErrors!: readonly UserError[];
  }
  return Payload;
}

export const CancelExecutionPayload = executionPayload(
  'CancelExecutionPayload',
  'cancelExecution',
  'The execution as it is now: one that runs is still RUNNING, and is CANCELED a moment later.',
);
export const RetryExecutionPayload = executionPayload('RetryExecutionPayload', 'retryExecution', 'The new execution.');
