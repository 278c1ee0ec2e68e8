import type { EntityManager } from '@mikro-orm/postgresql';
import type { Database } from '../../db/database.js';
import { AppError } from '../../errors.js';
import type { Clock } from '../../lib/clock.js';
import { formatId, newUuidV7 } from '../../lib/ids.js';
import { nameFaults } from '../../lib/text-rules.js';
import type { UserRole } from '../access.entities.js';
import { recordAudit } from '../audit.js';
import { emailFaults } from '../email.js';
import { OWNER_LOCK } from '../owner.js';
import type { Principal } from '../principal.js';
import { type NewSession, startSession } from '../sessions.js';
import type { Identity } from './identity-provider.js';

export interface IdentitySignInOptions {
  readonly database: Database;
  readonly clock: Clock;
  /** What somebody becomes whom nobody invited; `undefined` lets in nobody but the invited. */
  readonly newUsersRole: UserRole | undefined;
}

/**
 * Signs in whoever the identity provider vouches for: the user who is linked to this identity, or the invited one
 * with its verified address, who is linked from then on, or, when newcomers are welcome, a new user.
 *
 * An address that the issuer has not verified finds nobody: anybody could write it there.
 *
 * @throws AppError IDENTITY_UNKNOWN when there is no such user, or they are shut out.
 */
export async function signInWithIdentity(
  { database, clock, newUsersRole }: IdentitySignInOptions,
  identity: Identity,
): Promise<NewSession> {
  return await database.transaction(async (em) => {
    await em.execute('select pg_advisory_xact_lock(?, ?)', [...OWNER_LOCK]);
    const user =
      (await linked(em, identity)) ??
      (await linkInvited(em, identity)) ??
      (newUsersRole && (await addNewcomer(em, clock, identity, newUsersRole)));
    if (user === undefined || user.disabled) throw new AppError('IDENTITY_UNKNOWN');
    return await startSession(em, user.id, 'identity-provider');
  });
}

interface FoundUser {
  readonly id: string;
  readonly disabled: boolean;
}

const FOUND = 'id, disabled_at is not null as disabled';

async function linked(em: EntityManager, { issuer, subject }: Identity): Promise<FoundUser | undefined> {
  const rows = await em.execute<FoundUser[]>(`select ${FOUND} from users where oidc_issuer = ? and oidc_subject = ?`, [
    issuer,
    subject,
  ]);
  return rows[0];
}

async function linkInvited(em: EntityManager, identity: Identity): Promise<FoundUser | undefined> {
  if (identity.email === undefined) return undefined;
  const [user] = await em.execute<(FoundUser & { role: UserRole })[]>(
    `update users set oidc_issuer = ?, oidc_subject = ?, version = version + 1
     where lower(email) = lower(?) and oidc_subject is null and disabled_at is null returning role, ${FOUND}`,
    [identity.issuer, identity.subject, identity.email],
  );
  if (user === undefined) return undefined;
  await recordAudit(em, itself(user.id, user.role), {
    action: 'user.linked',
    subjectId: formatId('user', user.id),
    details: { issuer: identity.issuer },
  });
  return user;
}

async function addNewcomer(
  em: EntityManager,
  clock: Clock,
  { issuer, subject, email, name }: Identity,
  role: UserRole,
): Promise<FoundUser | undefined> {
  if (email === undefined || emailFaults([], email).length > 0) return undefined;
  const id = newUuidV7(clock.nowMs());
  const shown = name !== undefined && nameFaults([], name).length === 0 ? name.trim() : email;
  const rows = await em.execute<unknown[]>(
    `insert into users (id, name, email, role, oidc_issuer, oidc_subject) values (?, ?, ?, ?, ?, ?)
     on conflict do nothing returning id`,
    [id, shown, email, role, issuer, subject],
  );
  if (rows.length === 0) return undefined; // the address is another user's, who is linked to another identity
  await recordAudit(em, itself(id, role), {
    action: 'user.joined',
    subjectId: formatId('user', id),
    details: { issuer, role },
  });
  return { id, disabled: false };
}

/** The user acts for themselves; no credential of ours proved it yet. */
function itself(userId: string, role: UserRole): Principal {
  return { userId, role, credential: { type: 'system', id: 'identity-provider' }, scopes: [] };
}
