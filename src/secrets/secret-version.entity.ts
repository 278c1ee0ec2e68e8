import { defineEntity, p, type InferEntity } from '@mikro-orm/core';

/**
 * One secret of a webhook. Active: neither date is set. Retiring: `expiresAt` lies ahead. Revoked: `revokedAt` is set
 * or `expiresAt` has passed. Several can be valid at once while an old one retires.
 */
export const SecretVersionEntity = defineEntity({
  name: 'SecretVersion',
  tableName: 'webhook_secrets',
  properties: {
    id: p.uuid().primary(),
    webhookId: p.uuid(),
    version: p.integer(),
    sealed: p.blob(),
    hint: p.text(),
    createdAt: p.datetime(),
    expiresAt: p.datetime().nullable(),
    revokedAt: p.datetime().nullable(),
    lastUsedAt: p.datetime().nullable(),
  },
});
export type SecretVersion = InferEntity<typeof SecretVersionEntity>;
