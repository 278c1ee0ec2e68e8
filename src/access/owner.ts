import type { EntityManager } from '@mikro-orm/postgresql';
import type { Database } from '../db/database.js';
import { AppError } from '../errors.js';
import type { Clock } from '../lib/clock.js';
import { formatId, newUuidV7 } from '../lib/ids.js';
import { UserEntity } from './access.entities.js';
import { storeToken } from './api-tokens.js';
import { recordAudit } from './audit.js';
import { claimsToBeOurs, hashCredential, readApiTokenText } from './credential-text.js';
import { systemPrincipal } from './principal.js';

/** Changes of who is an owner happen one after the other ("work" and "ownr" as two 32-bit numbers). */
export const OWNER_LOCK = [0x776f_726b, 0x6f77_6e72] as const;

export interface EnsuredOwner {
  /** A UUID. */
  readonly ownerId: string;
  /** This start made the owner. */
  readonly created: boolean;
  /**
   * What became of `adminToken`: it is the owner's token now, it was already, or it is not valid here, because there
   * was an owner before it came.
   */
  readonly adminToken: 'installed' | 'known' | 'ignored' | 'not-given';
}

/**
 * Makes the owner on the very first start. Only then does `adminToken` become the owner's API token: later, whoever
 * can set the environment must not thereby become the owner. Any number of processes may start at once.
 *
 * @param adminToken any text of 32 characters or more, or a token that an installation of ours made.
 * @throws AppError CONFIGURATION_INVALID for a token that looks like ours and is damaged: it would never open anything.
 */
export async function ensureOwner(
  deps: { readonly database: Database; readonly clock: Clock },
  adminToken?: string,
): Promise<EnsuredOwner> {
  if (adminToken !== undefined && claimsToBeOurs(adminToken) && readApiTokenText(adminToken) === undefined) {
    throw new AppError('CONFIGURATION_INVALID', 'Wrong setting: ADMIN_TOKEN: begins with "wha_" but is no whole token');
  }
  return await deps.database.transaction(async (em) => {
    await em.execute('select pg_advisory_xact_lock(?, ?)', [...OWNER_LOCK]);
    const owner = await em.findOne(UserEntity, { role: 'owner' }, { orderBy: { id: 'asc' } });
    if (owner !== null) {
      return { ownerId: owner.id, created: false, adminToken: await stateOf(em, adminToken) };
    }
    return await createOwner(em, deps.clock.nowMs(), adminToken);
  });
}

async function createOwner(em: EntityManager, nowMs: number, adminToken: string | undefined): Promise<EnsuredOwner> {
  const ownerId = newUuidV7(nowMs);
  em.persist(
    em.create(UserEntity, {
      id: ownerId,
      name: 'Owner',
      email: null,
      role: 'owner',
      version: 1,
      createdAt: new Date(nowMs),
      disabledAt: null,
    }),
  );
  await em.flush(); // the token's row refers to the user's
  const actor = systemPrincipal(ownerId, 'startup');
  const tokenId = newUuidV7(nowMs);
  if (adminToken !== undefined) {
    const expiresAt = null;
    storeToken(em, ownerId, {
      id: tokenId,
      token: adminToken,
      name: 'ADMIN_TOKEN',
      scopes: [],
      expiresAt,
      createdAtMs: nowMs,
    });
    await em.flush();
  }
  await recordAudit(em, actor, {
    action: 'user.created',
    subjectId: formatId('user', ownerId),
    details: { role: 'owner' },
  });
  if (adminToken !== undefined) {
    const subjectId = formatId('apiToken', tokenId);
    await recordAudit(em, actor, { action: 'api-token.created', subjectId, details: { name: 'ADMIN_TOKEN' } });
  }
  return { ownerId, created: true, adminToken: adminToken === undefined ? 'not-given' : 'installed' };
}

async function stateOf(em: EntityManager, adminToken: string | undefined): Promise<EnsuredOwner['adminToken']> {
  if (adminToken === undefined) return 'not-given';
  const rows = await em.execute<unknown[]>(
    `select 1 from api_tokens where token_hash = decode(?, 'hex') and revoked_at is null
       and (expires_at is null or expires_at > now())`,
    [hashCredential(adminToken).toString('hex')],
  );
  return rows.length > 0 ? 'known' : 'ignored';
}
