import type { Database } from '../db/database.js';
import { AppError } from '../errors.js';
import { formatId } from '../lib/ids.js';
import { UserEntity } from './access.entities.js';
import { type AccessDeps, ownExpiry } from './api-tokens.js';
import { recordAudit } from './audit.js';
import { assertMayGive } from './give-role.js';
import { isAtLeast, requirePermission } from './permissions.js';
import { type Principal, systemPrincipal } from './principal.js';
import { INVITATION_VALID_MS, LOGIN_TOKEN_VALID_MS, storeLoginToken } from './sessions.js';

/** A link that signs its user in once. */
export interface LoginLink {
  /** The token in it; shown this once. */
  readonly token: string;
  readonly expiresAt: Date;
}

/**
 * Makes a one-time login link for a user who may do no more than the principal's credential: whoever has the link is that
 * user.
 *
 * @param userId a UUID.
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND also for a disabled user.
 */
export async function createLoginLink(
  deps: AccessDeps,
  principal: Principal | undefined,
  userId: string,
): Promise<LoginLink> {
  requirePermission(principal, 'users:manage');
  return await deps.database.transaction(async (em) => {
    const user = await em.findOne(UserEntity, { id: userId, disabledAt: null });
    if (user === null) throw new AppError('NOT_FOUND', 'There is no such user, or they are disabled.');
    if (!isAtLeast(principal.role, user.role)) {
      throw new AppError('FORBIDDEN', 'The role of this user is above yours.');
    }
    assertMayGive(principal, user.role);
    if (userId === principal.userId && (await ownExpiry(deps, principal)) !== null) {
      throw new AppError(
        'FORBIDDEN',
        'A token that expires makes no login link for its own user: it would outlast it.',
      );
    }
    const token = await storeLoginToken(em, userId, INVITATION_VALID_MS);
    await recordAudit(em, principal, { action: 'user.login-link-created', subjectId: formatId('user', userId) });
    return { token, expiresAt: new Date(deps.clock.nowMs() + INVITATION_VALID_MS) };
  });
}

/** Makes a one-time login link for the owner, for whoever sits at the terminal; it is good for 15 minutes. */
export async function createOwnerLink(
  database: Pick<Database, 'transaction'>,
  ownerId: string,
  actor: 'startup' | 'command-line',
): Promise<string> {
  return await database.transaction(async (em) => {
    const token = await storeLoginToken(em, ownerId, LOGIN_TOKEN_VALID_MS);
    const principal = systemPrincipal(ownerId, actor);
    await recordAudit(em, principal, { action: 'user.login-link-created', subjectId: formatId('user', ownerId) });
    return token;
  });
}
