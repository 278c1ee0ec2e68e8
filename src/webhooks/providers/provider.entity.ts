import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import type { ProviderDefinition } from './definition.js';

/** A sender that users defined themselves. */
export const ProviderEntity = defineEntity({
  name: 'Provider',
  tableName: 'providers',
  properties: {
    /** `provider-…`, everywhere: it stands where the names of built-in ones do, which begin otherwise. */
    id: p.text().primary(),
    name: p.text(),
    definition: p.json().$type<ProviderDefinition>(),
    version: p.integer(),
    createdAt: p.datetime(),
    updatedAt: p.datetime(),
  },
});
export type OwnProvider = InferEntity<typeof ProviderEntity>;
