import { defineEntity, p, type InferEntity } from '@mikro-orm/core';

/** Whose protocol a model speaks. */
export const MODEL_PROVIDERS = ['OPENAI_COMPATIBLE', 'OPENAI', 'ANTHROPIC', 'GOOGLE'] as const;
export type ModelProvider = (typeof MODEL_PROVIDERS)[number];

/** A configured LLM. Prices are nano-dollars for a million tokens, limits of 0 are none. */
export const ModelEntity = defineEntity({
  name: 'Model',
  tableName: 'models',
  properties: {
    id: p.uuid().primary(),
    name: p.text(),
    provider: p.enum(MODEL_PROVIDERS).$type<ModelProvider>(),
    baseUrl: p.text().nullable(),
    modelName: p.text(),
    apiKeySealed: p.blob().nullable(),
    /** Which key of the row this is; sealed with it. */
    apiKeyVersion: p.integer(),
    apiKeyHint: p.text().nullable(),
    promptPrice: p.bigint(),
    completionPrice: p.bigint(),
    /** `null`: a cached token costs what another one of the prompt does. */
    cachedPrice: p.bigint().nullable(),
    requestsPerMinute: p.integer(),
    tokensPerMinute: p.integer(),
    concurrencyMax: p.integer(),
    structuredOutputs: p.boolean(),
    isDefault: p.boolean(),
    /** Whose settings in the environment decide: `OPENAI`, `ANTHROPIC`, `GOOGLE`. */
    managedBy: p.text().nullable(),
    pausedUntil: p.datetime().nullable(),
    version: p.integer(),
    createdAt: p.datetime(),
    updatedAt: p.datetime(),
    deletedAt: p.datetime().nullable(),
  },
});
export type Model = InferEntity<typeof ModelEntity>;
