import type { EntityManager } from '@mikro-orm/postgresql';
import type { Database } from '../db/database.js';
import { AppError } from '../errors.js';
import { publish } from '../events/publish.js';
import type { Clock } from '../lib/clock.js';
import { newUuidV7 } from '../lib/ids.js';
import { isValid, type RotatableSecret } from './plan-rotation.js';
import type { Keyring, SealedFor } from './seal.js';
import { secretHint } from './secret-rules.js';
import { type SecretVersion, SecretVersionEntity } from './secret-version.entity.js';

export interface SecretDeps {
  readonly database: Database;
  readonly keyring: Keyring;
  readonly clock: Clock;
}

/** A new secret, shown this once. */
export interface NewSecret {
  /** The SecretVersion's UUID. */
  readonly secretId: string;
  readonly secret: string;
  /** When the secret that was active until now ends or ended; `null` when there was none. */
  readonly previousExpiresAt: Date | null;
}

/** What a sealed secret belongs to. The ingress opens it with the same. */
export function sealedFor(secret: { readonly id: string; readonly version: number }): SealedFor {
  return { table: 'webhook_secrets', row: secret.id, version: secret.version };
}

/** Opens a version. @throws AppError ENCRYPTION_KEY_INVALID. */
export function openSecret(keyring: Keyring, row: SecretVersion): string {
  return keyring.open(row.sealed, sealedFor(row)).toString('utf8');
}

/** Puts a sealed version into the unit of work; the caller flushes, audits and commits. */
export function addSecretVersion(
  em: EntityManager,
  deps: SecretDeps,
  webhookId: string,
  version: number,
  secret: string,
): SecretVersion {
  const nowMs = deps.clock.nowMs();
  const id = newUuidV7(nowMs);
  const row = em.create(SecretVersionEntity, {
    id,
    webhookId,
    version,
    sealed: deps.keyring.seal(secret, sealedFor({ id, version })),
    hint: secretHint(secret),
    createdAt: new Date(nowMs),
    expiresAt: null,
    revokedAt: null,
    lastUsedAt: null,
  });
  em.persist(row);
  return row;
}

/**
 * Locks a webhook until the end of the transaction: two changes of its secrets never see the same old ones.
 *
 * @throws AppError NOT_FOUND when there is none, or none any more.
 */
export async function lockWebhook(em: EntityManager, webhookId: string): Promise<void> {
  const rows = await em.execute<unknown[]>('select 1 from webhooks where id = ? and deleted_at is null for update', [
    webhookId,
  ]);
  if (rows.length === 0) throw new AppError('NOT_FOUND', 'There is no such webhook.');
}

/** All versions of a webhook's secret, the newest first. */
export async function readSecretVersions(em: EntityManager, webhookId: string): Promise<SecretVersion[]> {
  return await em.find(SecretVersionEntity, { webhookId }, { orderBy: { version: 'desc' } });
}

/** A version as `plan-rotation.ts` reckons with it. */
export function rotatable(row: SecretVersion): RotatableSecret {
  const { id, version, expiresAt, revokedAt } = row;
  return { id, version, expiresAtMs: expiresAt?.getTime() ?? null, revoked: (revokedAt ?? null) !== null };
}

/** Whether one of the versions that are valid now is this very text. */
export function isInUse(deps: SecretDeps, versions: readonly SecretVersion[], secret: string): boolean {
  const nowMs = deps.clock.nowMs();
  return versions.some((row) => isValid(rotatable(row), nowMs) && openSecret(deps.keyring, row) === secret);
}

/**
 * Raises the webhook's version and tells every process. The accept statement proves the version, so from the COMMIT
 * on no process accepts a call by a secret that it remembers from before.
 */
export async function noteSecretsChanged(em: EntityManager, webhookId: string): Promise<void> {
  await em.execute('update webhooks set version = version + 1, updated_at = now() where id = ?', [webhookId]);
  await publish(em, [{ kind: 'webhook-changed', webhookId }]);
}
