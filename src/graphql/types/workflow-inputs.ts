import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import type { UserError } from '../../lib/user-error.js';
import { Duration, Json } from '../scalars.js';
import { EXPECTED_VERSION } from './expected-version.js';
import { USER_ERRORS, UserErrorObject, type WithUserErrors } from './user-error.js';
import { WorkflowObject } from './workflow.js';
import { IDEMPOTENCY_KEY } from './idempotency-key.js';
import { payloadType } from './payload-type.js';

@InputType()
abstract class WorkflowDefinitionInput {
  @Field(() => Json, { nullable: true, description: 'What it does, as JSON. Either this or `definitionYaml`.' })
  definition?: unknown;

  @Field(() => String, { nullable: true, description: 'What it does, as YAML. Either this or `definition`.' })
  definitionYaml?: string | null;
}

@InputType()
abstract class WorkflowSettingsInput extends WorkflowDefinitionInput {
  @Field(() => String, { nullable: true, description: 'What it is for, at most 2,000 characters.' })
  description?: string | null;

  @Field(() => Duration, {
    nullable: true,
    description: 'After how long an attempt is aborted, its waits not counted; at most 24 h, 1 h by default.',
  })
  timeout?: number | null;

  @Field(() => Int, {
    nullable: true,
    description: 'How many attempts an execution has in all, 1 to 100; 3 by default. A crash of a runner costs one.',
  })
  attemptsMax?: number | null;
}

@InputType('CreateWorkflowInput', { description: 'What a new workflow is to be.' })
export class CreateWorkflowInput extends WorkflowSettingsInput {
  @Field(() => String, { description: 'A name, 1 to 200 characters.' })
  name!: string;

  @Field(() => String, IDEMPOTENCY_KEY)
  idempotencyKey?: string | null;
}

@InputType('UpdateWorkflowInput', {
  description: 'What to change of a workflow. What is left out stays as it is.',
})
export class UpdateWorkflowInput extends WorkflowSettingsInput {
  @Field(() => ID, { description: "The worker's id." })
  id!: string;

  @Field(() => Int, EXPECTED_VERSION)
  expectedVersion?: number | null;

  @Field(() => String, { nullable: true, description: 'Another name.' })
  name?: string | null;
}

@InputType('ValidateWorkflowInput', { description: 'A definition to check.' })
export class ValidateWorkflowInput extends WorkflowDefinitionInput {
  @Field(() => ID, {
    nullable: true,
    description: 'The workflow that it is to be a new version of: that one can then not run itself.',
  })
  id?: string | null;
}

/** A workflow that was made or changed. */
export interface WorkflowPayload extends WithUserErrors {
  readonly worker?: WorkflowObject;
}

export const CreateWorkflowPayload = payloadType<WorkflowPayload>(
  'createWorkflow',
  'worker',
  () => WorkflowObject,
  'The workflow as it is now.',
);
export const UpdateWorkflowPayload = payloadType<WorkflowPayload>(
  'updateWorkflow',
  'worker',
  () => WorkflowObject,
  'The workflow as it is now.',
);

@ObjectType('ValidateWorkflowPayload', { description: 'What `validateWorkflow` found.' })
export class ValidateWorkflowPayload implements WithUserErrors {
  @Field(() => Boolean, { description: 'Whether the definition could be stored now.' })
  readonly valid!: boolean;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}
