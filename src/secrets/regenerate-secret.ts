import type { EntityManager } from '@mikro-orm/postgresql';
import { recordAudit } from '../access/audit.js';
import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import { formatId } from '../lib/ids.js';
import { type Outcome, refused, succeeded } from '../lib/user-error.js';
import { isValid } from './plan-rotation.js';
import { inUse } from './rotate-secret.js';
import { newSecret, ownSecretFaults } from './secret-rules.js';
import { type SecretVersion } from './secret-version.entity.js';
import {
  addSecretVersion,
  isInUse,
  lockWebhook,
  type NewSecret,
  noteSecretsChanged,
  readSecretVersions,
  rotatable,
  type SecretDeps,
} from './secret-versions.js';

export interface RegenerateSecretInput {
  /** The webhook's UUID. */
  readonly webhookId: string;
  /** A secret that the sender made; without it a new one is made here. */
  readonly secret?: string | undefined;
}

/**
 * Gives a webhook a new secret and ends all others at once: for a secret that leaked.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND.
 */
export async function regenerateSecret(
  deps: SecretDeps,
  principal: Principal | undefined,
  input: RegenerateSecretInput,
): Promise<Outcome<NewSecret>> {
  requirePermission(principal, 'webhooks:rotate-secret');
  const { webhookId } = input;
  const faults = input.secret === undefined ? [] : ownSecretFaults(['secret'], input.secret);
  if (faults.length > 0) return refused(...faults);
  return await deps.database.transaction(async (em) => {
    await lockWebhook(em, webhookId);
    const versions = await readSecretVersions(em, webhookId);
    const secret = input.secret ?? newSecret();
    if (isInUse(deps, versions, secret)) return refused(inUse(['secret']));
    const { added, endedAt } = replaceSecrets(em, deps, webhookId, versions, secret);
    await em.flush();
    await noteSecretsChanged(em, webhookId);
    await recordAudit(em, principal, {
      action: 'webhook.secret-regenerated',
      subjectId: formatId('webhook', webhookId),
      details: { secretId: formatId('secretVersion', added.id), broughtAlong: input.secret !== undefined },
    });
    return succeeded({ secretId: added.id, secret, previousExpiresAt: endedAt });
  });
}

/**
 * Ends every valid version now and adds a new one, in the unit of work; the caller has locked the webhook.
 *
 * @param versions all of them, the newest first.
 */
export function replaceSecrets(
  em: EntityManager,
  deps: SecretDeps,
  webhookId: string,
  versions: readonly SecretVersion[],
  secret: string,
): { readonly added: SecretVersion; readonly endedAt: Date | null } {
  const now = new Date(deps.clock.nowMs());
  const valid = versions.filter((row) => isValid(rotatable(row), now.getTime()));
  for (const row of valid) row.revokedAt = now;
  const added = addSecretVersion(em, deps, webhookId, (versions[0]?.version ?? 0) + 1, secret);
  return { added, endedAt: valid.length > 0 ? now : null };
}
