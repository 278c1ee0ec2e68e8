import type { EntityManager } from '@mikro-orm/postgresql';
import { REQUESTS_PER_MINUTE_DEFAULT } from './model-input.js';
import { type Model, ModelEntity, type ModelProvider } from './model.entity.js';

export interface NewModel {
  /** A UUID. */
  readonly id: string;
  readonly name: string;
  readonly provider: ModelProvider;
  readonly modelName: string;
  readonly now: Date;
}

/** A row for a new model in the unit of work: what nobody said otherwise is without limit, price and key. */
export function newModelRow(em: EntityManager, { now, ...given }: NewModel): Model {
  const model = em.create(ModelEntity, {
    ...given,
    baseUrl: null,
    apiKeySealed: null,
    apiKeyVersion: 0,
    apiKeyHint: null,
    promptPrice: 0n,
    completionPrice: 0n,
    cachedPrice: null,
    requestsPerMinute: REQUESTS_PER_MINUTE_DEFAULT,
    tokensPerMinute: 0,
    concurrencyMax: 0,
    structuredOutputs: true,
    isDefault: false,
    managedBy: null,
    pausedUntil: null,
    version: 1,
    createdAt: now,
    updatedAt: now,
    deletedAt: null,
  });
  em.persist(model);
  return model;
}
