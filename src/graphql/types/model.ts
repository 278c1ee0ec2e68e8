import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import { formatId } from '../../lib/ids.js';
import type { UserError } from '../../lib/user-error.js';
import type { ModelProvider as ModelProviderName } from '../../models/model.entity.js';
import type { ModelView } from '../../models/read-models.js';
import type { ModelTest } from '../../models/test-model.js';
import { connectionType } from '../connections.js';
import { DateTime, Dollars } from '../scalars.js';
import { ModelProvider } from './enums.js';
import { NodeObject } from './node.js';
import { USER_ERRORS, UserErrorObject, type WithUserErrors } from './user-error.js';

@ObjectType('Model', { description: 'A configured LLM. Its key is sealed and never shown.', implements: NodeObject })
export class ModelObject extends NodeObject {
  readonly #view: ModelView;

  constructor(view: ModelView) {
    super(formatId('model', view.id));
    this.#view = view;
  }

  @Field(() => String, { description: 'Its name.' })
  get name(): string {
    return this.#view.name;
  }

  @Field(() => ModelProvider, { description: 'Whose protocol it speaks.' })
  get provider(): ModelProviderName {
    return this.#view.provider;
  }

  @Field(() => String, { nullable: true, description: "Where it is; null at its provider's own address." })
  get baseUrl(): string | null {
    return this.#view.baseUrl;
  }

  @Field(() => String, { description: "The provider's name for it." })
  get modelName(): string {
    return this.#view.modelName;
  }

  @Field(() => String, { nullable: true, description: 'The end of its key, to know it again; null when it has none.' })
  get apiKeyHint(): string | null {
    return this.#view.apiKeyHint;
  }

  @Field(() => Dollars, { description: 'What a million tokens cost that go in, in US dollars.' })
  get promptPrice(): bigint {
    return this.#view.promptPrice;
  }

  @Field(() => Dollars, { description: 'What a million tokens cost that come out, in US dollars.' })
  get completionPrice(): bigint {
    return this.#view.completionPrice;
  }

  @Field(() => Dollars, {
    nullable: true,
    description:
      "What a million tokens cost that go in and come from the provider's cache, in US dollars; null: as the others.",
  })
  get cachedPrice(): bigint | null {
    return this.#view.cachedPrice;
  }

  @Field(() => Int, { description: 'Requests a minute, over all processes; 0 is no limit.' })
  get requestsPerMinute(): number {
    return this.#view.requestsPerMinute;
  }

  @Field(() => Int, { description: 'Tokens a minute, in and out, over all processes; 0 is no limit.' })
  get tokensPerMinute(): number {
    return this.#view.tokensPerMinute;
  }

  @Field(() => Int, { description: 'Steps under way at once, over all processes; 0 is no limit.' })
  get concurrency(): number {
    return this.#view.concurrencyMax;
  }

  @Field(() => Boolean, { description: 'Whether its provider is asked for answers that fit a JSON Schema.' })
  get structuredOutputs(): boolean {
    return this.#view.structuredOutputs;
  }

  @Field(() => Boolean, { description: 'Whether workers use it that name no model.' })
  get isDefault(): boolean {
    return this.#view.isDefault;
  }

  @Field(() => Boolean, {
    description: 'Whether the settings of the process decide its provider, address, name and key.',
  })
  get managedByEnvironment(): boolean {
    return this.#view.managedBy !== null;
  }

  @Field(() => DateTime, {
    nullable: true,
    description: 'Until when its provider asked not to be asked; null when it may be.',
  })
  get pausedUntil(): Date | null {
    return this.#view.pausedUntil;
  }

  @Field(() => Int, { description: 'Goes up with every change.' })
  get version(): number {
    return this.#view.version;
  }

  @Field(() => DateTime, { description: 'When it was made.' })
  get createdAt(): Date {
    return this.#view.createdAt;
  }

  @Field(() => DateTime, { description: 'When it was last changed.' })
  get updatedAt(): Date {
    return this.#view.updatedAt;
  }
}

export const ModelConnection = connectionType<ModelObject>('Model', () => ModelObject);

@InputType('CreateModelInput', { description: 'What a new model is to be.' })
export class CreateModelInput {
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

  @Field(() => Int, {
    nullable: true,
    description: 'The version that you have seen: when there is a newer one, nothing changes (CONFLICT).',
  })
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

  @Field(() => Int, {
    nullable: true,
    description: 'The version that you have seen: when there is a newer one, nothing changes (CONFLICT).',
  })
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

const MODEL = { nullable: true, description: 'The model; null when nothing was changed.' };

/** What every change of a model answers. */
export interface ModelPayload extends WithUserErrors {
  readonly model?: ModelObject;
}

@ObjectType('CreateModelPayload', { description: 'What became of `createModel`.' })
export class CreateModelPayload implements ModelPayload {
  @Field(() => ModelObject, MODEL)
  readonly model?: ModelObject;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}

@ObjectType('UpdateModelPayload', { description: 'What became of `updateModel`.' })
export class UpdateModelPayload implements ModelPayload {
  @Field(() => ModelObject, MODEL)
  readonly model?: ModelObject;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}

@ObjectType('SetDefaultModelPayload', { description: 'What became of `setDefaultModel`.' })
export class SetDefaultModelPayload implements ModelPayload {
  @Field(() => ModelObject, MODEL)
  readonly model?: ModelObject;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}

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

  @Field(() => String, { description: 'The beginning of its answer.' })
  readonly answer!: string;

  @Field(() => ModelTestErrorObject, { nullable: true, description: 'Why it did not answer; null when it did.' })
  readonly error!: ModelTestErrorObject | null;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}
