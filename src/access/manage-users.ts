import type { EntityManager } from '@mikro-orm/postgresql';
import { assertVersion } from '../db/expected-version.js';
import { AppError, codeOf } from '../errors.js';
import { publish } from '../events/publish.js';
import { formatId, newUuidV7, parseId } from '../lib/ids.js';
import { nameFaults } from '../lib/text-rules.js';
import { type Outcome, refused, succeeded, type UserError } from '../lib/user-error.js';
import { type User, UserEntity, type UserRole } from './access.entities.js';
import type { AccessDeps } from './api-tokens.js';
import { recordAudit } from './audit.js';
import { createOnce, type KeyedCreation } from './creation-key.js';
import { emailFaults } from './email.js';
import { OWNER_LOCK } from './owner.js';
import { assertMayGive } from './give-role.js';
import { isAtLeast, requirePermission } from './permissions.js';
import type { Principal } from './principal.js';
import type { UserView } from './read-users.js';
import { INVITATION_VALID_MS, storeLoginToken } from './sessions.js';

export interface InviteUserInput {
  readonly name: string;
  /** By it the user is known when they sign in at an identity provider. */
  readonly email?: string | null | undefined;
  readonly role: UserRole;
}

export interface Invited {
  readonly user: UserView;
  /** Of a link that signs them in once. Given this once: not to a repeat. */
  readonly loginToken: string | undefined;
}

/** What is left out stays as it is; `null` takes the address away. */
export interface UpdateUserInput {
  /** A UUID. */
  readonly id: string;
  readonly expectedVersion?: number | undefined;
  readonly name?: string | undefined;
  readonly email?: string | null | undefined;
  readonly role?: UserRole | undefined;
}

/**
 * Makes a user. They sign in with a login link or, known by their address, at the identity provider.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, also for a role that may do more than the principal's credential.
 */
export async function inviteUser(
  deps: AccessDeps,
  principal: Principal | undefined,
  input: InviteUserInput & KeyedCreation,
): Promise<Outcome<Invited>> {
  requirePermission(principal, 'users:manage');
  assertMayGive(principal, input.role);
  const email = normalEmail(input.email);
  const userErrors = [...nameFaults(['name'], input.name), ...emailFaults(['email'], email)];
  if (userErrors.length > 0) return { ok: false, userErrors };
  const nowMs = deps.clock.nowMs();
  const id = newUuidV7(nowMs);
  return await takenIsAUserError(() =>
    createOnce<Invited>(deps.database, principal, {
      idempotencyKey: input.idempotencyKey,
      creation: {
        kind: 'user',
        input: { name: input.name.trim(), email, role: input.role },
        subjectId: formatId('user', id),
      },
      make: async (em) => {
        const user = em.create(UserEntity, {
          id,
          name: input.name.trim(),
          email,
          role: input.role,
          version: 1,
          createdAt: new Date(nowMs),
          disabledAt: null,
        });
        em.persist(user);
        await em.flush();
        const loginToken = await storeLoginToken(em, id, INVITATION_VALID_MS);
        await recordAudit(em, principal, {
          action: 'user.invited',
          subjectId: formatId('user', user.id),
          details: { name: user.name, role: user.role },
        });
        return succeeded({ user: viewOf(user), loginToken });
      },
      find: async (userId) => {
        const user = await deps.database.em().findOneOrFail(UserEntity, { id: parseId('user', userId)! });
        return { user: viewOf(user), loginToken: undefined };
      },
    }),
  );
}

/**
 * Changes a user. A new role holds at once, in every process: open sockets of the user close. A higher one ends sessions
 * and login links: who got one of somebody with less is not let in as somebody with more. Tokens rise with the role.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, CONFLICT.
 */
export async function updateUser(
  deps: AccessDeps,
  principal: Principal | undefined,
  input: UpdateUserInput,
): Promise<Outcome<UserView>> {
  requirePermission(principal, 'users:manage');
  const email = input.email === undefined ? undefined : normalEmail(input.email);
  const userErrors = [
    ...(input.name === undefined ? [] : nameFaults(['name'], input.name)),
    ...emailFaults(['email'], email ?? null),
  ];
  if (userErrors.length > 0) return { ok: false, userErrors };
  return await takenIsAUserError(() =>
    deps.database.transaction(async (em): Promise<Outcome<UserView>> => {
      const user = await lockUser(em, principal, input.id, input.expectedVersion);
      const role = input.role ?? user.role;
      assertMayGive(principal, role); // also without a new one: by a new address somebody else signs in as this user
      if (role !== user.role) {
        const fault = await leavesNoOwner(em, user);
        if (fault !== undefined) return refused({ ...fault, field: ['role'] });
      }
      const changed = [
        ...(input.name !== undefined && input.name.trim() !== user.name ? ['name'] : []),
        ...(email !== undefined && email !== (user.email ?? null) ? ['email'] : []),
        ...(role !== user.role ? ['role'] : []),
      ];
      if (changed.length === 0) return succeeded(viewOf(user));
      if (!isAtLeast(user.role, role)) await endSignIns(em, user.id);
      em.assign(user, { name: input.name?.trim() ?? user.name, email: email === undefined ? user.email : email, role });
      await writeUser(em, user);
      await recordAudit(em, principal, {
        action: 'user.updated',
        subjectId: formatId('user', user.id),
        details: { changed, role },
      });
      return succeeded(viewOf(user));
    }),
  );
}

/**
 * Shuts a user out, or lets one in again. Shut out, their tokens and sessions open nothing from the commit on, and
 * their sockets close; sessions do not come back, tokens do.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, CONFLICT.
 */
export async function setUserDisabled(
  deps: AccessDeps,
  principal: Principal | undefined,
  input: { readonly id: string; readonly disabled: boolean; readonly expectedVersion?: number | undefined },
): Promise<Outcome<UserView>> {
  requirePermission(principal, 'users:manage');
  return await deps.database.transaction(async (em): Promise<Outcome<UserView>> => {
    const user = await lockUser(em, principal, input.id, input.expectedVersion);
    if (isDisabled(user) === input.disabled) return succeeded(viewOf(user));
    if (input.disabled) {
      if (user.id === principal.userId) {
        return refused({ field: ['id'], message: 'Nobody can shut themselves out.', code: 'IS_YOURSELF' });
      }
      const fault = await leavesNoOwner(em, user);
      if (fault !== undefined) return refused(fault);
      await endSignIns(em, user.id);
    }
    user.disabledAt = input.disabled ? new Date(deps.clock.nowMs()) : null;
    await writeUser(em, user);
    await recordAudit(em, principal, {
      action: input.disabled ? 'user.disabled' : 'user.enabled',
      subjectId: formatId('user', user.id),
    });
    return succeeded(viewOf(user));
  });
}

/** Ends the sessions of a user, and the links with which somebody may still begin one. */
async function endSignIns(em: EntityManager, userId: string): Promise<void> {
  await em.execute('update sessions set revoked_at = now() where user_id = ? and revoked_at is null', [userId]);
  await em.execute('update login_tokens set used_at = now() where user_id = ? and used_at is null', [userId]);
}

/** Raises the version, writes and tells every process. */
async function writeUser(em: EntityManager, user: User): Promise<void> {
  user.version += 1;
  await em.flush();
  await publish(em, [{ kind: 'user-changed', userId: user.id }]);
}

async function lockUser(
  em: EntityManager,
  principal: Principal,
  id: string,
  expectedVersion: number | undefined,
): Promise<User> {
  // Changes of users are rare, so they wait for one another: of two owners who leave at once, the second one finds
  // nobody else. Locking the rows of all owners instead made such pairs deadlock.
  await em.execute('select pg_advisory_xact_lock(?, ?)', [...OWNER_LOCK]);
  const user = await em.findOne(UserEntity, { id });
  if (user === null) throw new AppError('NOT_FOUND', 'There is no such user.');
  if (!isAtLeast(principal.role, user.role)) {
    throw new AppError('FORBIDDEN', 'The role of this user is above yours.');
  }
  assertVersion('The user', user.version, expectedVersion);
  return user;
}

async function leavesNoOwner(em: EntityManager, user: User): Promise<UserError | undefined> {
  if (user.role !== 'owner' || isDisabled(user)) return undefined;
  const others = await em.count(UserEntity, { role: 'owner', disabledAt: null, id: { $ne: user.id } });
  if (others > 0) return undefined;
  return { field: ['id'], message: 'This is the only owner: make another one first.', code: 'LAST_OWNER' };
}

/** Two invitations of one address at once: the index decides. */
async function takenIsAUserError<T>(change: () => Promise<Outcome<T>>): Promise<Outcome<T>> {
  try {
    return await change();
  } catch (error) {
    if (codeOf(error) !== '23505') throw error;
    return refused({ field: ['email'], message: 'Another user has this address.', code: 'TAKEN' });
  }
}

function normalEmail(email: string | null | undefined): string | null {
  const trimmed = email?.trim() ?? '';
  return trimmed === '' ? null : trimmed;
}

function isDisabled(user: User): boolean {
  return (user.disabledAt ?? null) !== null;
}

function viewOf(user: User): UserView {
  const { id, name, email, role, version, createdAt, disabledAt } = user;
  return { id, name, email: email ?? null, role, version, createdAt, disabledAt: disabledAt ?? null };
}
