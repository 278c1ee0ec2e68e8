import { AppError } from '../errors.js';
import type { UserRole } from './access.entities.js';
import { isAtLeast, permissionsBeyond } from './permissions.js';
import type { Principal } from './principal.js';

/**
 * Lets nobody make a user, or a way in as one, who may do more than their own credential: a role above theirs, or one
 * with permissions that their token is not narrowed to.
 *
 * @throws AppError FORBIDDEN, naming what is missing.
 */
export function assertMayGive(principal: Principal, role: UserRole): void {
  if (!isAtLeast(principal.role, role)) throw new AppError('FORBIDDEN', 'Nobody can give a role above their own.');
  const beyond = permissionsBeyond(principal, role);
  if (beyond.length === 0) return;
  const missing = beyond.join(', ');
  throw new AppError('FORBIDDEN', `A narrowed token gives no role that may do more. It lacks ${missing}.`);
}
