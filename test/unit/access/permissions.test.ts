import { describe, expect, it } from '@jest/globals';
import { USER_ROLES, type UserRole } from '../../../src/access/access.entities.js';
import {
  isAllowed,
  isAtLeast,
  isPermission,
  type Permission,
  PERMISSIONS,
  requirePermission,
} from '../../../src/access/permissions.js';
import { type Principal, systemPrincipal } from '../../../src/access/principal.js';

const ALL = Object.keys(PERMISSIONS) as Permission[];

const principal = (role: UserRole, scopes: readonly string[] = []): Principal => ({
  userId: 'u',
  role,
  credential: { type: 'api-token', id: 't' },
  scopes,
});

const allowed = (role: UserRole, scopes?: readonly string[]): Permission[] =>
  ALL.filter((permission) => isAllowed(principal(role, scopes), permission));

describe('permissions', () => {
  it('grow with the role: each has all that the ones below it have', () => {
    const counts = USER_ROLES.map((role) => allowed(role).length);
    expect(counts).toEqual(counts.toSorted((a, b) => b - a));
    USER_ROLES.slice(1).forEach((role, i) => {
      expect(allowed(USER_ROLES[i]!)).toEqual(expect.arrayContaining(allowed(role)));
    });
    expect(allowed('owner')).toEqual(ALL);
  });

  it('let a viewer only read', () => {
    expect(allowed('viewer').every((permission) => permission.endsWith(':read'))).toBe(true);
  });

  it.each<[Permission, UserRole, UserRole]>([
    ['webhooks:test', 'operator', 'viewer'],
    ['webhooks:write', 'editor', 'operator'],
    ['webhooks:rotate-secret', 'editor', 'operator'],
    ['webhooks:reveal-secret', 'admin', 'editor'],
    ['tokens:manage', 'admin', 'editor'],
    ['audit:read', 'admin', 'editor'],
  ])('%s needs at least %s', (permission, least, below) => {
    expect(isAllowed(principal(least), permission)).toBe(true);
    expect(isAllowed(principal(below), permission)).toBe(false);
  });

  it('are narrowed by scopes and never widened', () => {
    expect(allowed('owner', ['calls:read', 'webhooks:write'])).toEqual(['webhooks:write', 'calls:read']);
    expect(allowed('viewer', ['calls:read', 'webhooks:write'])).toEqual(['calls:read']);
    expect(allowed('owner', ['no-such-permission'])).toEqual([]);
  });

  it('are denied when nothing grants them', () => {
    for (const name of ['nothing:here', 'constructor', '__proto__', 'toString', '']) {
      expect(isPermission(name)).toBe(false);
      expect(isAllowed(principal('owner'), name as Permission)).toBe(false);
      expect(isAllowed(principal('owner', [name]), name as Permission)).toBe(false);
    }
    expect(allowed('nobody' as UserRole)).toEqual([]);
    expect(isAtLeast('nobody' as UserRole, 'viewer')).toBe(false);
  });

  it('are required by name', () => {
    expect(() => requirePermission(undefined, 'webhooks:read')).toThrow(
      expect.objectContaining({ code: 'UNAUTHENTICATED' }),
    );
    expect(() => requirePermission(principal('viewer'), 'webhooks:write')).toThrow(
      expect.objectContaining({ code: 'FORBIDDEN', message: expect.stringContaining('webhooks:write') }),
    );
    expect(() => requirePermission(principal('viewer'), 'webhooks:read')).not.toThrow();
    expect(() => requirePermission(systemPrincipal('u', 'startup'), 'users:manage')).not.toThrow();
  });
});
