import { Field, ID, InputType } from 'type-graphql';
import type { WorkerVersionChoice as WorkerVersionChoiceName } from '../../executions/retry.js';
import { WorkerVersionChoice } from './enums.js';
import { ExecutionObject } from './execution.js';
import type { WithUserErrors } from './user-error.js';
import { payloadType } from './payload-type.js';

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

export const CancelExecutionPayload = payloadType<ExecutionPayload>(
  'cancelExecution',
  'execution',
  () => ExecutionObject,
  'The execution as it is now: one that runs is still RUNNING, and is CANCELED a moment later.',
);
export const RetryExecutionPayload = payloadType<ExecutionPayload>(
  'retryExecution',
  'execution',
  () => ExecutionObject,
  'The new execution.',
);
