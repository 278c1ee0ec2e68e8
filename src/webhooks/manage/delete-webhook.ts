import { recordAudit } from '../../access/audit.js';
import { requirePermission } from '../../access/permissions.js';
import type { Principal } from '../../access/principal.js';
import { formatId } from '../../lib/ids.js';
import type { SecretDeps } from '../../secrets/secret-versions.js';
import { lockForChange, writeChange } from './change-webhook.js';
import { putWorkers } from './put-workers.js';

/**
 * Deletes a webhook: its URL answers 404 from the COMMIT on, and its workers can be deleted. Its row and its calls
 * stay until their retention ends; its secrets are erased, and nobody is told of the
 * end of calls that still run.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND (also when it is deleted already), CONFLICT.
 */
export async function deleteWebhook(
  deps: Pick<SecretDeps, 'database' | 'clock'>,
  principal: Principal | undefined,
  input: { readonly id: string; readonly expectedVersion?: number | undefined },
): Promise<void> {
  requirePermission(principal, 'webhooks:write');
  await deps.database.transaction(async (em) => {
    const webhook = await lockForChange(em, input.id, input.expectedVersion);
    webhook.deletedAt = new Date(deps.clock.nowMs());
    await putWorkers(em, webhook.id, []);
    await em.execute('delete from webhook_secrets where webhook_id = ?', [webhook.id]);
    await em.execute('delete from webhook_callbacks where webhook_id = ?', [webhook.id]);
    await writeChange(em, deps.clock, webhook);
    await recordAudit(em, principal, {
      action: 'webhook.deleted',
      subjectId: formatId('webhook', webhook.id),
      details: { name: webhook.name },
    });
  });
}
