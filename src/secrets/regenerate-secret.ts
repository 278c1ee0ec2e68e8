import type { EntityManager } from '@mikro-orm/postgresql';
import { recordAudit } from '../access/audit.js';
import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import { formatId } from '../lib/ids.js';
import { isValid } from './plan-rotation.js';
import { newSecret } from './secret-rules.js';
import { type SecretVersion } from './secret-version.entity.js';
import {
  addSecretVersion,
  lockWebhook,
  type NewSecret,
  noteSecretsChanged,
  readSecretVersions,
  rotatable,
  type SecretDeps,
} from './secret-versions.js';

/**
 * Gives a webhook a new secret and ends all others at once: for a secret that leaked.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND.
 */
export async function regenerateSecret(
  deps: SecretDeps,
  principal: Principal | undefined,
  input: { readonly webhookId: string },
): Promise<NewSecret> {
  requirePermission(principal, 'webhooks:rotate-secret');
  const { webhookId } = input;
  return await deps.database.transaction(async (em) => {
    await lockWebhook(em, webhookId);
    const secret = newSecret();
    const { added, endedAt } = replaceSecrets(em, deps, webhookId, await readSecretVersions(em, webhookId), secret);
    await em.flush();
    await noteSecretsChanged(em, webhookId);
    await recordAudit(em, principal, {
      action: 'webhook.secret-regenerated',
      subjectId: formatId('webhook', webhookId),
      details: { secretId: formatId('secretVersion', added.id) },
    });
    return { secretId: added.id, secret, previousExpiresAt: endedAt };
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
