import { defineEntity, p, type InferEntity } from '@mikro-orm/core';

/** From the one that may do most to the one that may do least. */
export const USER_ROLES = ['owner', 'admin', 'editor', 'operator', 'viewer'] as const;
export type UserRole = (typeof USER_ROLES)[number];

export const UserEntity = defineEntity({
  name: 'User',
  tableName: 'users',
  properties: {
    id: p.uuid().primary(),
    name: p.text(),
    email: p.text().nullable(),
    role: p.enum(USER_ROLES).$type<UserRole>(),
    version: p.integer().default(1),
    createdAt: p.datetime(),
    disabledAt: p.datetime().nullable(),
  },
});
export type User = InferEntity<typeof UserEntity>;

/** An API token; only the SHA-256 of it is stored. Empty `scopes` means all that the user's role allows. */
export const ApiTokenEntity = defineEntity({
  name: 'ApiToken',
  tableName: 'api_tokens',
  properties: {
    id: p.uuid().primary(),
    userId: p.uuid(),
    name: p.text(),
    tokenHash: p.blob(),
    hint: p.text(),
    scopes: p.array(),
    createdAt: p.datetime(),
    expiresAt: p.datetime().nullable(),
    lastUsedAt: p.datetime().nullable(),
    revokedAt: p.datetime().nullable(),
  },
});
export type ApiToken = InferEntity<typeof ApiTokenEntity>;

/** A dashboard session; the cookie's SHA-256 is stored. */
export const SessionEntity = defineEntity({
  name: 'Session',
  tableName: 'sessions',
  properties: {
    id: p.uuid().primary(),
    userId: p.uuid(),
    tokenHash: p.blob(),
    createdAt: p.datetime(),
    expiresAt: p.datetime(),
    revokedAt: p.datetime().nullable(),
  },
});
