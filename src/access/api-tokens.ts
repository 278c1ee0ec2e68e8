import type { EntityManager } from '@mikro-orm/postgresql';
import type { Database } from '../db/database.js';
import { AppError } from '../errors.js';
import { publish } from '../events/publish.js';
import type { Clock } from '../lib/clock.js';
import { formatId, newUuidV7, parseId } from '../lib/ids.js';
import { nameFaults } from '../lib/text-rules.js';
import { type Outcome, succeeded, type UserError } from '../lib/user-error.js';
import { type ApiToken, ApiTokenEntity, UserEntity } from './access.entities.js';
import { recordAudit } from './audit.js';
import { createOnce, type KeyedCreation } from './creation-key.js';
import { hashCredential, hintOf, newApiTokenText } from './credential-text.js';
import { isAllowed, isAtLeast, isPermission, requirePermission } from './permissions.js';
import type { Principal } from './principal.js';

export interface AccessDeps {
  readonly database: Database;
  readonly clock: Clock;
}

/** A token as lists show it; its text is not stored anywhere. */
export interface ApiTokenView {
  /** A UUID. */
  readonly id: string;
  readonly userId: string;
  readonly name: string;
  /** The last characters of its text. */
  readonly hint: string;
  /** Empty: all that the user's role allows. */
  readonly scopes: readonly string[];
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
}

export interface CreateApiTokenInput {
  readonly name: string;
  /** Permissions to narrow it to; without any it has all that the user's role has. */
  readonly scopes?: readonly string[] | undefined;
  readonly expiresAt?: Date | null | undefined;
}

export interface NewApiToken {
  readonly apiToken: ApiTokenView;
  /** Shown this once: not to a repeat. */
  readonly token: string | undefined;
}

/**
 * Makes a token for the principal's own user. It never opens more than the credential that asks for it, nor for
 * longer: whoever comes with a narrowed or expiring token can only pass on what that one has.
 */
export async function createApiToken(
  deps: AccessDeps,
  principal: Principal | undefined,
  input: CreateApiTokenInput & KeyedCreation,
): Promise<Outcome<NewApiToken>> {
  requirePermission(principal, 'tokens:manage');
  const scopes = [...new Set(input.scopes)];
  const userErrors = [
    ...nameFaults(['name'], input.name),
    ...scopeFaults(principal, scopes),
    ...expiryFaults(input.expiresAt ?? null, deps.clock.nowMs(), await ownExpiry(deps, principal)),
  ];
  if (userErrors.length > 0) return { ok: false, userErrors };
  const createdAtMs = deps.clock.nowMs();
  const id = newUuidV7(createdAtMs);
  const subjectId = formatId('apiToken', id);
  const wanted = { name: input.name.trim(), scopes, expiresAt: input.expiresAt ?? null };
  return await createOnce<NewApiToken>(deps.database, principal, {
    idempotencyKey: input.idempotencyKey,
    creation: { kind: 'api-token', input: wanted, subjectId },
    make: async (em) => {
      const token = newApiTokenText(id);
      const row = storeToken(em, principal.userId, { id, token, ...wanted, createdAtMs });
      await em.flush();
      const details = { name: row.name, scopes: row.scopes };
      await recordAudit(em, principal, { action: 'api-token.created', subjectId, details });
      return succeeded({ apiToken: viewOf(row), token });
    },
    find: async (tokenId) => {
      const row = await deps.database.em().findOne(ApiTokenEntity, { id: parseId('apiToken', tokenId)! });
      if (row === null) throw new AppError('NOT_FOUND');
      return { apiToken: viewOf(row), token: undefined };
    },
  });
}

export interface TokenToStore {
  readonly id: string;
  readonly token: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly expiresAt: Date | null;
  readonly createdAtMs: number;
}

/** Puts a token's row into the unit of work; the caller flushes, audits and commits. */
export function storeToken(em: EntityManager, userId: string, token: TokenToStore): ApiToken {
  const row = em.create(ApiTokenEntity, {
    id: token.id,
    userId,
    name: token.name,
    tokenHash: hashCredential(token.token),
    hint: hintOf(token.token),
    scopes: [...token.scopes],
    createdAt: new Date(token.createdAtMs),
    expiresAt: token.expiresAt,
    lastUsedAt: null,
    revokedAt: null,
  });
  em.persist(row);
  return row;
}

/**
 * Ends a token at once: every process drops it and its sockets close. A token of somebody with more might can't be
 * ended. Ending it again changes nothing.
 *
 * @param id a UUID.
 * @throws AppError NOT_FOUND, FORBIDDEN.
 */
export async function revokeApiToken(
  deps: AccessDeps,
  principal: Principal | undefined,
  id: string,
): Promise<ApiTokenView> {
  requirePermission(principal, 'tokens:manage');
  return await deps.database.transaction(async (em) => {
    const row = await em.findOne(ApiTokenEntity, { id });
    if (row === null) throw new AppError('NOT_FOUND');
    const user = await em.findOneOrFail(UserEntity, { id: row.userId });
    if (!isAtLeast(principal.role, user.role)) {
      throw new AppError('FORBIDDEN', 'This token belongs to somebody whose role is above yours.');
    }
    if (row.revokedAt) return viewOf(row);
    row.revokedAt = new Date(deps.clock.nowMs());
    await em.flush();
    await recordAudit(em, principal, {
      action: 'api-token.revoked',
      subjectId: formatId('apiToken', id),
      details: { name: row.name },
    });
    await publish(em, [{ kind: 'credential-ended', credentialId: id }]);
    return viewOf(row);
  });
}

/** All tokens of the principal's own user, the newest first; ended ones too. */
export async function listApiTokens(
  deps: AccessDeps,
  principal: Principal | undefined,
): Promise<readonly ApiTokenView[]> {
  requirePermission(principal, 'tokens:manage');
  const rows = await deps.database
    .em()
    .find(ApiTokenEntity, { userId: principal.userId }, { orderBy: { id: 'desc' }, limit: 1_000 });
  return rows.map(viewOf);
}

function viewOf(row: ApiToken): ApiTokenView {
  const { id, userId, name, hint, scopes, createdAt } = row;
  return {
    id,
    userId,
    name,
    hint,
    scopes: [...scopes],
    createdAt,
    expiresAt: row.expiresAt ?? null,
    lastUsedAt: row.lastUsedAt ?? null,
    revokedAt: row.revokedAt ?? null,
  };
}

function scopeFaults(principal: Principal, scopes: readonly string[]): readonly UserError[] {
  const field = ['scopes'];
  if (scopes.length === 0 && principal.scopes.length > 0) {
    return [{ field, message: 'Your own token is narrowed, so name the scopes of the new one.', code: 'REQUIRED' }];
  }
  return scopes.flatMap((scope) => {
    if (!isPermission(scope)) return [{ field, message: `There is no permission "${scope}".`, code: 'UNKNOWN_SCOPE' }];
    if (isAllowed(principal, scope)) return [];
    return [{ field, message: `You don't have the permission ${scope} yourself.`, code: 'SCOPE_NOT_HELD' }];
  });
}

/** When the credential that asks ends by itself; a session's end does not bound the tokens that its user makes. */
/** When the principal's token expires; `null` for one that does not, and for a session. */
export async function ownExpiry(
  { database }: Pick<AccessDeps, 'database'>,
  { credential }: Principal,
): Promise<Date | null> {
  if (credential.type !== 'api-token') return null;
  const own = await database.em().findOne(ApiTokenEntity, { id: credential.id });
  return own?.expiresAt ?? null;
}

function expiryFaults(expiresAt: Date | null, nowMs: number, ownExpiresAt: Date | null): readonly UserError[] {
  const field = ['expiresAt'];
  if (expiresAt !== null && expiresAt.getTime() <= nowMs) {
    return [{ field, message: 'The expiry lies in the past.', code: 'IN_THE_PAST' }];
  }
  if (ownExpiresAt !== null && (expiresAt === null || expiresAt > ownExpiresAt)) {
    const message = `Your own token ends at ${ownExpiresAt.toISOString()}, so the new one must not outlive it.`;
    return [{ field, message, code: 'OUTLIVES_YOURS' }];
  }
  return [];
}
