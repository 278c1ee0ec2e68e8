import { AppError } from '../errors.js';
import { USER_ROLES, type UserRole } from './access.entities.js';
import type { Principal } from './principal.js';

/**
 * Every permission, with the least role that has it. `USER_ROLES` lists the roles from the most to the least mighty,
 * and each has all that the ones after it have. What is not in this table is denied to everybody.
 */
export const PERMISSIONS = {
  'webhooks:read': 'viewer',
  'webhooks:write': 'editor',
  'webhooks:test': 'operator',
  /** Replace a secret. The new one is shown once, as it is when a webhook is created. */
  'webhooks:rotate-secret': 'editor',
  /** See a secret that is in use. */
  'webhooks:reveal-secret': 'admin',
  'workers:read': 'viewer',
  'workers:write': 'editor',
  'connections:read': 'viewer',
  'connections:write': 'editor',
  'calls:read': 'viewer',
  'executions:read': 'viewer',
  'executions:operate': 'operator',
  'statistics:read': 'viewer',
  'alerts:read': 'viewer',
  /** Acknowledge and resolve alerts. */
  'alerts:operate': 'operator',
  'models:read': 'viewer',
  /** Make, change, test and delete models: their keys are somebody's money. */
  'models:write': 'admin',
  /** Say what a webhook may spend. */
  'spend-caps:write': 'admin',
  'rate-limits:read': 'viewer',
  'rate-limits:write': 'admin',
  'tokens:manage': 'admin',
  'users:read': 'viewer',
  'users:manage': 'admin',
  'audit:read': 'admin',
} as const satisfies Record<string, UserRole>;

/** A permission, and a scope of an API token: the two are the same names. */
export type Permission = keyof typeof PERMISSIONS;

/** Whether a text, such as a scope that somebody asks for, is the name of a permission. */
export function isPermission(text: string): text is Permission {
  return Object.hasOwn(PERMISSIONS, text);
}

/** Whether `role` has at least the might of `least`. */
export function isAtLeast(role: UserRole, least: UserRole): boolean {
  const rank = USER_ROLES.indexOf(role);
  return rank !== -1 && rank <= USER_ROLES.indexOf(least);
}

/** Whether the principal's role has the permission and its credential was not narrowed to others. */
export function isAllowed(principal: Principal, permission: Permission): boolean {
  if (!isPermission(permission) || !isAtLeast(principal.role, PERMISSIONS[permission])) return false;
  return principal.scopes.length === 0 || principal.scopes.includes(permission);
}

/**
 * What a role may do and the principal, as its credential is narrowed, may not: whoever gives that role away gives away
 * more than they have.
 */
export function permissionsBeyond(principal: Principal, role: UserRole): readonly Permission[] {
  const all = Object.keys(PERMISSIONS) as Permission[];
  return all.filter((permission) => isAtLeast(role, PERMISSIONS[permission]) && !isAllowed(principal, permission));
}

/**
 * Lets pass who may. Every use case of the admin API begins with it.
 *
 * @throws AppError UNAUTHENTICATED without a principal, FORBIDDEN without the permission.
 */
export function requirePermission(
  principal: Principal | undefined,
  permission: Permission,
): asserts principal is Principal {
  if (principal === undefined) throw new AppError('UNAUTHENTICATED');
  if (!isAllowed(principal, permission)) {
    throw new AppError('FORBIDDEN', `This needs the permission ${permission}, which your role or token does not have.`);
  }
}
