import {
  getNamedType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  isInterfaceType,
  isObjectType,
} from 'graphql';
import { type AuthCheckerFn, getMetadataStorage } from 'type-graphql';
import { isPermission, type Permission, requirePermission } from '../access/permissions.js';
import { AppError } from '../errors.js';
import type { GraphqlContext } from './context.js';

/**
 * Checks `@Authorized('<permission>')` of a field. Several permissions are all needed; none at all asks only for
 * somebody who is known.
 *
 * @throws AppError UNAUTHENTICATED or FORBIDDEN.
 */
export const authChecker: AuthCheckerFn<GraphqlContext> = ({ context }, permissions) => {
  if (context.principal === undefined) throw new AppError('UNAUTHENTICATED');
  for (const permission of permissions) requirePermission(context.principal, permission as Permission);
  return true;
};

/** A root field and the permissions that it asks for; an empty list asks only for somebody who is known. */
export interface RootFieldRule {
  /** `Query.webhooks` and the like. */
  readonly name: string;
  /** `undefined`: nobody decided, and type-graphql lets everybody use it. */
  readonly permissions: readonly string[] | undefined;
}

/** The rules of all root fields, in the order of queries, mutations, subscriptions. Build the schema first. */
export function rootFieldRules(): readonly RootFieldRule[] {
  const { queries, mutations, subscriptions, authorizedFields } = getMetadataStorage();
  return [
    ...queries.map((field) => ({ field, name: `Query.${field.schemaName}` })),
    ...mutations.map((field) => ({ field, name: `Mutation.${field.schemaName}` })),
    ...subscriptions.map((field) => ({ field, name: `Subscription.${field.schemaName}` })),
  ].map(({ field, name }) => {
    const rule = authorizedFields.find(
      ({ target, fieldName }) => target === field.target && fieldName === field.methodName,
    );
    return { name, permissions: rule?.roles.map(String) };
  });
}

/**
 * Root fields that nobody decided about: without `@Authorized`, or with a permission that there is not. There must be
 * none.
 *
 * @param publicFields those that are meant for everybody.
 */
export function undecidedRootFields(publicFields: ReadonlySet<string> = new Set()): string[] {
  return rootFieldRules()
    .filter(({ name, permissions }) => !publicFields.has(name) && !(permissions?.every(isPermission) ?? false))
    .map(({ name }) => name);
}

/**
 * What it takes to read a thing, wherever a field leads to it. A type that is not here is a part of the thing that it
 * stands in.
 */
export const READ_PERMISSIONS: Readonly<Record<string, Permission>> = {
  AgentWorker: 'workers:read',
  Workflow: 'workers:read',
  Alert: 'alerts:read',
  ApiToken: 'tokens:manage',
  AuditEvent: 'audit:read',
  BulkOperation: 'executions:read',
  Call: 'calls:read',
  CallStatistics: 'statistics:read',
  Callback: 'calls:read',
  CodeWorker: 'workers:read',
  ConnectionProfile: 'connections:read',
  Execution: 'executions:read',
  ExecutionEvent: 'executions:read',
  HttpWorker: 'workers:read',
  Model: 'models:read',
  ModelUsage: 'statistics:read',
  RateLimit: 'rate-limits:read',
  User: 'users:read',
  Webhook: 'webhooks:read',
  Worker: 'workers:read',
};

/**
 * Fields that lead from one thing to another without asking for the permission to read that one: with a token for
 * the first, somebody would read the second. There must be none. What a mutation answers is exempt: whoever may
 * change a thing sees what became of it.
 *
 * @returns `Call.webhook` and the like.
 */
export function openCrossings(
  schema: GraphQLSchema,
  permissions: Readonly<Record<string, Permission>> = READ_PERMISSIONS,
): string[] {
  const { objectTypes, interfaceTypes } = getMetadataStorage();
  const roots = new Set([schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]);
  return Object.values(schema.getTypeMap()).flatMap((type) => {
    if (!(isObjectType(type) || isInterfaceType(type)) || roots.has(type as GraphQLObjectType)) return [];
    if (/(?:Payload|Connection|Edge)$/.test(type.name)) return [];
    const own = [...objectTypes, ...interfaceTypes].find(({ name }) => name === type.name);
    return Object.values(type.getFields())
      .filter(({ name, type: to }) => {
        const target = nodeTypeName(to);
        const needed = permissions[target];
        if (needed === undefined || needed === permissions[type.name]) return false;
        const declared = own?.fields?.find(({ schemaName }) => schemaName === name);
        // A field of an interface is declared there; the types that have it inherit its rule.
        return declared === undefined ? own === undefined : !(declared.roles ?? []).map(String).includes(needed);
      })
      .map(({ name }) => `${type.name}.${name}`);
  });
}

/** What a field leads to: through lists, and through a connection to its nodes. */
function nodeTypeName(type: GraphQLOutputType): string {
  const named = getNamedType(type);
  const nodes = isObjectType(named) && named.name.endsWith('Connection') ? named.getFields()['nodes'] : undefined;
  return nodes === undefined ? named.name : getNamedType(nodes.type).name;
}
