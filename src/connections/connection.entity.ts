import { defineEntity, p, type InferEntity } from '@mikro-orm/core';

export const CONNECTION_AUTHENTICATIONS = ['NONE', 'BEARER', 'BASIC', 'HEADER', 'QUERY'] as const;
/** How a connection proves itself to the outside system. */
export type ConnectionAuthenticationKind = (typeof CONNECTION_AUTHENTICATIONS)[number];

/** An outside system that workers call: its base URL and, sealed, what opens it. */
export const ConnectionEntity = defineEntity({
  name: 'Connection',
  tableName: 'connections',
  properties: {
    id: p.uuid().primary(),
    name: p.text(),
    description: p.text().nullable(),
    baseUrl: p.text(),
    authKind: p.enum(CONNECTION_AUTHENTICATIONS).$type<ConnectionAuthenticationKind>(),
    /** The user name, header or query parameter. */
    authName: p.text().nullable(),
    secretHint: p.text().nullable(),
    headerNames: p.array(),
    /** The {@link ConnectionSecrets} of this version. */
    sealed: p.blob(),
    version: p.integer(),
    createdAt: p.datetime(),
    updatedAt: p.datetime(),
  },
});
export type Connection = InferEntity<typeof ConnectionEntity>;
