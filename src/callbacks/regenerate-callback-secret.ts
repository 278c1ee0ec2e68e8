import { recordAudit } from '../access/audit.js';
import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import { formatId } from '../lib/ids.js';
import { type Outcome, refused, succeeded } from '../lib/user-error.js';
import { lockWebhook, noteSecretsChanged, type SecretDeps } from '../secrets/secret-versions.js';
import { replaceCallbackSecret } from './callback-settings.js';

/**
 * Gives the callbacks of a webhook a new signing secret; attempts from the COMMIT on are signed with it.
 *
 * @returns the secret, shown this once.
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND.
 */
export async function regenerateCallbackSecret(
  deps: SecretDeps,
  principal: Principal | undefined,
  { webhookId }: { readonly webhookId: string },
): Promise<Outcome<string>> {
  requirePermission(principal, 'webhooks:rotate-secret');
  return await deps.database.transaction(async (em) => {
    await lockWebhook(em, webhookId);
    const secret = await replaceCallbackSecret(em, deps.keyring, webhookId);
    if (secret === undefined) {
      return refused({ field: ['id'], message: 'This webhook has no callback URL.', code: 'NO_CALLBACK' });
    }
    await noteSecretsChanged(em, webhookId);
    await recordAudit(em, principal, {
      action: 'webhook.callback-secret-regenerated',
      subjectId: formatId('webhook', webhookId),
    });
    return succeeded(secret);
  });
}
