import { AppError } from '../errors.js';
import { formatId } from '../lib/ids.js';
import { UserEntity } from './access.entities.js';
import type { AccessDeps } from './api-tokens.js';
import { recordAudit } from './audit.js';
import { isAtLeast, requirePermission } from './permissions.js';
import type { Principal } from './principal.js';
import { INVITATION_VALID_MS, issueLoginToken } from './sessions.js';

/** A link that signs its user in once. */
export interface LoginLink {
  /** The token in it; shown this once. */
  readonly token: string;
  readonly expiresAt: Date;
}

/**
 * Makes a one-time login link for a user whose role is not above the principal's: whoever has the link is that user.
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
    // Stored by its hash outside of this transaction; without the commit below nobody ever gets to see its text.
    const token = await issueLoginToken(deps.database.pool, userId, INVITATION_VALID_MS);
    await recordAudit(em, principal, { action: 'user.login-link-created', subjectId: formatId('user', userId) });
    return { token, expiresAt: new Date(deps.clock.nowMs() + INVITATION_VALID_MS) };
  });
}
