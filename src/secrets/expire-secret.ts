import { recordAudit } from '../access/audit.js';
import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import { AppError } from '../errors.js';
import { formatId } from '../lib/ids.js';
import { type Outcome, refused, succeeded } from '../lib/user-error.js';
import { isValid } from './plan-rotation.js';
import { newSecret } from './secret-rules.js';
import {
  addSecretVersion,
  lockWebhook,
  noteSecretsChanged,
  readSecretVersions,
  rotatable,
  type SecretDeps,
} from './secret-versions.js';

/**
 * Ends a retiring secret before its time: its senders have all followed. One that has ended already stays as it is. The
 * active one is only ended where the sender makes it, for one that leaked before its successor is known: until that is
 * brought, a secret that nobody was ever told stands in its place.
 *
 * @param input.secretId the SecretVersion's UUID.
 * @param input.mayEndActive whether the sender makes the webhook's secrets.
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND.
 */
export async function expireSecret(
  deps: SecretDeps,
  principal: Principal | undefined,
  input: { readonly secretId: string; readonly mayEndActive?: boolean },
): Promise<Outcome<{ readonly webhookId: string }>> {
  requirePermission(principal, 'webhooks:rotate-secret');
  return await deps.database.transaction(async (em) => {
    const [found] = await em.execute<{ webhook_id: string }[]>('select webhook_id from webhook_secrets where id = ?', [
      input.secretId,
    ]);
    if (found === undefined) throw new AppError('NOT_FOUND', 'There is no such secret.');
    const webhookId = found.webhook_id;
    await lockWebhook(em, webhookId);
    const versions = await readSecretVersions(em, webhookId);
    const row = versions.find(({ id }) => id === input.secretId);
    if (row === undefined || !isValid(rotatable(row), deps.clock.nowMs())) return succeeded({ webhookId });
    const isActive = rotatable(row).expiresAtMs === null;
    if (isActive && input.mayEndActive !== true) {
      const message = 'This secret is the active one. Rotate or regenerate it instead.';
      return refused({ field: ['id'], message, code: 'SECRET_ACTIVE' });
    }
    row.revokedAt = new Date(deps.clock.nowMs());
    if (isActive) addSecretVersion(em, deps, webhookId, (versions[0]?.version ?? 0) + 1, newSecret());
    await em.flush();
    await noteSecretsChanged(em, webhookId);
    await recordAudit(em, principal, {
      action: 'webhook.secret-expired',
      subjectId: formatId('webhook', webhookId),
      details: { secretId: formatId('secretVersion', row.id) },
    });
    return succeeded({ webhookId });
  });
}
