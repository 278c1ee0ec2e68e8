import { Field, ID, InputType, Int } from 'type-graphql';
import type { ModelProvider as ModelProviderName } from '../../models/model.entity.js';
import { Dollars } from '../scalars.js';
import { ModelProvider } from './enums.js';
import { EXPECTED_VERSION } from './expected-version.js';
import { IDEMPOTENCY_KEY } from './idempotency-key.js';

@InputType('CreateModelInput', { description: 'What a new model is to be.' })
export class CreateModelInput {
  @Field(() => String, IDEMPOTENCY_KEY)
  idempotencyKey?: string | null;

  @Field(() => String, { description: 'A name, 1 to 200 characters.' })
  name!: string;

  @Field(() => ModelProvider, { description: 'Whose protocol it speaks.' })
  provider!: ModelProviderName;

  @Field(() => String, {
    nullable: true,
    description:
      "Its API's base: an http or https URL, without a path the provider's version is added. Needed for OPENAI_COMPATIBLE.",
  })
  baseUrl?: string | null;

  @Field(() => String, { description: "The provider's name for it." })
  modelName!: string;

  @Field(() => String, {
    nullable: true,
    description: 'The key. It is sealed and not shown again. OPENAI_COMPATIBLE may do without.',
  })
  apiKey?: string | null;

  @Field(() => Dollars, { nullable: true, description: 'US dollars for a million tokens that go in; 0 without it.' })
  promptPrice?: bigint | null;

  @Field(() => Dollars, { nullable: true, description: 'US dollars for a million tokens that come out; 0 without it.' })
  completionPrice?: bigint | null;

  @Field(() => Dollars, {
    nullable: true,
    description: "US dollars for a million tokens from the provider's cache; without it as the others that go in.",
  })
  cachedPrice?: bigint | null;

  @Field(() => Int, { nullable: true, description: 'Requests a minute; 600 without it, 0 is no limit.' })
  requestsPerMinute?: number | null;

  @Field(() => Int, { nullable: true, description: 'Tokens a minute, in and out; 0, no limit, without it.' })
  tokensPerMinute?: number | null;

  @Field(() => Int, { nullable: true, description: 'Steps under way at once; 0, no limit, without it.' })
  concurrency?: number | null;

  @Field(() => Boolean, {
    nullable: true,
    description:
      'Whether the provider is asked for answers that fit a JSON Schema; true without it. Some servers refuse that.',
  })
  structuredOutputs?: boolean | null;

  @Field(() => Boolean, {
    nullable: true,
    description: 'Whether workers use it that name no model; without it, when there is no such model yet.',
  })
  isDefault?: boolean | null;
}

@InputType('UpdateModelInput', { description: 'What to change of a model. What is left out stays as it is.' })
export class UpdateModelInput {
  @Field(() => ID, { description: "The model's id." })
  id!: string;

  @Field(() => Int, EXPECTED_VERSION)
  expectedVersion?: number | null;

  @Field(() => String, { nullable: true, description: 'Another name.' })
  name?: string | null;

  @Field(() => ModelProvider, { nullable: true, description: 'Another protocol.' })
  provider?: ModelProviderName | null;

  @Field(() => String, { nullable: true, description: "Another address; null for the provider's own." })
  baseUrl?: string | null;

  @Field(() => String, { nullable: true, description: "Another of the provider's names." })
  modelName?: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'Another key; null for none. Needed when the address moves to another host: keys are not taken along.',
  })
  apiKey?: string | null;

  @Field(() => Dollars, { nullable: true, description: 'US dollars for a million tokens that go in.' })
  promptPrice?: bigint | null;

  @Field(() => Dollars, { nullable: true, description: 'US dollars for a million tokens that come out.' })
  completionPrice?: bigint | null;

  @Field(() => Dollars, {
    nullable: true,
    description: "US dollars for a million tokens from the provider's cache; null: as the others that go in.",
  })
  cachedPrice?: bigint | null;

  @Field(() => Int, { nullable: true, description: 'Requests a minute; 0 is no limit.' })
  requestsPerMinute?: number | null;

  @Field(() => Int, { nullable: true, description: 'Tokens a minute, in and out; 0 is no limit.' })
  tokensPerMinute?: number | null;

  @Field(() => Int, { nullable: true, description: 'Steps under way at once; 0 is no limit.' })
  concurrency?: number | null;

  @Field(() => Boolean, {
    nullable: true,
    description: 'Whether the provider is asked for answers that fit a JSON Schema.',
  })
  structuredOutputs?: boolean | null;
}

@InputType('DeleteModelInput', { description: 'A model to delete.' })
export class DeleteModelInput {
  @Field(() => ID, { description: "The model's id." })
  id!: string;

  @Field(() => Int, EXPECTED_VERSION)
  expectedVersion?: number | null;
}

@InputType('TestModelInput', { description: 'A model to test.' })
export class TestModelInput {
  @Field(() => ID, { description: "The model's id." })
  id!: string;
}

@InputType('SetDefaultModelInput', { description: 'A model to make the default.' })
export class SetDefaultModelInput {
  @Field(() => ID, { description: "The model's id." })
  id!: string;
}
