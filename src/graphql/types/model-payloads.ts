import { Field, ID, Int, ObjectType } from 'type-graphql';
import type { UserError } from '../../lib/user-error.js';
import type { ModelTest } from '../../models/test-model.js';
import { Dollars } from '../scalars.js';
import { ModelObject } from './model.js';
import { payloadType } from './payload-type.js';
import { USER_ERRORS, UserErrorObject, type WithUserErrors } from './user-error.js';

const MODEL = 'The model; null when nothing was changed.';

/** What every change of a model answers. */
export interface ModelPayload extends WithUserErrors {
  readonly model?: ModelObject;
}

export const CreateModelPayload = payloadType<ModelPayload>('createModel', 'model', () => ModelObject, MODEL);

export const UpdateModelPayload = payloadType<ModelPayload>('updateModel', 'model', () => ModelObject, MODEL);

export const SetDefaultModelPayload = payloadType<ModelPayload>('setDefaultModel', 'model', () => ModelObject, MODEL);

@ObjectType('DeleteModelPayload', { description: 'What became of `deleteModel`.' })
export class DeleteModelPayload implements WithUserErrors {
  @Field(() => ID, { nullable: true, description: 'The id of what was deleted; null when nothing was.' })
  readonly deletedModelId?: string;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}

@ObjectType('ModelTestError', { description: 'Why a model did not answer.' })
class ModelTestErrorObject {
  @Field(() => String, { description: 'For a program, such as `MODEL_FAILED`.' })
  readonly code!: string;

  @Field(() => String, { description: "For a person, with the provider's own words." })
  readonly message!: string;
}

@ObjectType('TestModelPayload', { description: 'How a model answered a one-line prompt.' })
export class TestModelPayload implements ModelTest, WithUserErrors {
  @Field(() => Boolean, { description: 'Whether it answered.' })
  readonly succeeded!: boolean;

  @Field(() => Int, { description: 'Milliseconds from the request to the end of the answer.' })
  readonly latencyMs!: number;

  @Field(() => Int, { nullable: true, description: 'Tokens that went in, as the provider counted them.' })
  readonly promptTokens!: number | null;

  @Field(() => Int, { nullable: true, description: 'Tokens that came out, as the provider counted them.' })
  readonly completionTokens!: number | null;

  @Field(() => Dollars, { name: 'cost', description: 'What it cost, in US dollars, by the prices of the model.' })
  readonly costNanos!: bigint;

  @Field(() => String, { description: 'The first 200 characters of its answer; empty when it did not answer.' })
  readonly answer!: string;

  @Field(() => ModelTestErrorObject, { nullable: true, description: 'Why it did not answer; null when it did.' })
  readonly error!: ModelTestErrorObject | null;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}
