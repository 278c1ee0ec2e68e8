import { Field, Int, ObjectType } from 'type-graphql';
import { formatId } from '../../lib/ids.js';
import type { ModelProvider as ModelProviderName } from '../../models/model.entity.js';
import type { ModelView } from '../../models/read-models.js';
import { connectionType } from '../connections.js';
import { DateTime, Dollars } from '../scalars.js';
import { ModelProvider } from './enums.js';
import { NodeObject } from './node.js';

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

  @Field(() => ModelProvider, {
    description: 'Which API it is asked by; decides the default address and whether a key is needed.',
  })
  get provider(): ModelProviderName {
    return this.#view.provider;
  }

  @Field(() => String, { nullable: true, description: "Where it is; null at its provider's own address." })
  get baseUrl(): string | null {
    return this.#view.baseUrl;
  }

  @Field(() => String, {
    description: "The name that the provider's API takes, such as `claude-haiku-4-5`; 1 to 200 characters.",
  })
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
