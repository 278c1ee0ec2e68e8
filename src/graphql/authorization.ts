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

/**
 * Root fields that nobody decided about: without `@Authorized`, or with a permission that there is not. There must be
 * none: type-graphql lets everybody use a field without a rule.
 *
 * @param publicFields those that are meant for everybody, as `Query.version`.
 * @returns `Query.webhooks` and the like.
 */
export function undecidedRootFields(publicFields: ReadonlySet<string> = new Set()): string[] {
  const storage = getMetadataStorage();
  const rules = storage.authorizedFields;
  const fields = [
    ...storage.queries.map((field) => ({ field, name: `Query.${field.schemaName}` })),
    ...storage.mutations.map((field) => ({ field, name: `Mutation.${field.schemaName}` })),
    ...storage.subscriptions.map((field) => ({ field, name: `Subscription.${field.schemaName}` })),
  ];
  return fields
    .filter(({ field, name }) => {
      const rule = rules.find(({ target, fieldName }) => target === field.target && fieldName === field.methodName);
      return !publicFields.has(name) && !(rule?.roles.every((role) => isPermission(String(role))) ?? false);
    })
    .map(({ name }) => name);
}
