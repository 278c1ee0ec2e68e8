import { recordAudit } from '../access/audit.js';
import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import { AppError } from '../errors.js';
import { formatId } from '../lib/ids.js';
import { type Outcome, refused, succeeded } from '../lib/user-error.js';
import { isValid } from './plan-rotation.js';
import { lockWebhook, noteSecretsChanged, readSecretVersions, rotatable, type SecretDeps } from './secret-versions.js';

/**
 * Ends a retiring secret before its time: its senders have all followed. One that has ended already stays as it is; the
 * active one can't be ended, because then nobody could call.
 *
 * @param input.secretId the SecretVersion's UUID.
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND.
 */
export async function expireSecret(
  deps: SecretDeps,
  principal: Principal | undefined,
  input: { readonly secretId: string },
): Promise<Outcome<{ readonly webhookId: string }>> {
  requirePermission(principal, 'webhooks:rotate-secret');
  return await deps.database.transaction(async (em) => {
    const [found] = await em.execute<{ webhook_id: string }[]>('select webhook_id from webhook_secrets where id = ?', [
      input.secretId,
    ]);
    if (found === undefined) throw new AppError('NOT_FOUND', 'There is no such secret.');
    const webhookId = found.webhook_id;
    await lockWebhook(em, webhookId);
    const row = (await readSecretVersions(em, webhookId)).find(({ id }) => id === input.secretId);
    if (row === undefined || !isValid(rotatable(row), deps.clock.nowMs())) return succeeded({ webhookId });
    if (rotatable(row).expiresAtMs === null) {
      const message = 'This secret is the active one. Rotate or regenerate it instead.';
      return refused({ field: ['id'], message, code: 'SECRET_ACTIVE' });
    }
    row.revokedAt = new Date(deps.clock.nowMs());
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
