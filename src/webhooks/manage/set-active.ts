import { recordAudit } from '../../access/audit.js';
import { requirePermission } from '../../access/permissions.js';
import type { Principal } from '../../access/principal.js';
import { formatId } from '../../lib/ids.js';
import type { SecretDeps } from '../../secrets/secret-versions.js';
import { lockForChange, writeChange } from './change-webhook.js';
import { readChangedWebhook, type WebhookView } from './webhook-view.js';

export interface SetActiveInput {
  /** A UUID. */
  readonly id: string;
  readonly active: boolean;
  readonly expectedVersion?: number | undefined;
}

/**
 * Activates or deactivates a webhook; doing it twice changes nothing. An inactive one answers 403 to callers who have
 * its secret.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, CONFLICT.
 */
export async function setActive(
  deps: Pick<SecretDeps, 'database' | 'clock'>,
  principal: Principal | undefined,
  input: SetActiveInput,
): Promise<WebhookView> {
  requirePermission(principal, 'webhooks:write');
  return await deps.database.transaction(async (em) => {
    const webhook = await lockForChange(em, input.id, input.expectedVersion);
    if (webhook.active !== input.active) {
      webhook.active = input.active;
      await writeChange(em, deps.clock, webhook);
      await recordAudit(em, principal, {
        action: input.active ? 'webhook.activated' : 'webhook.deactivated',
        subjectId: formatId('webhook', webhook.id),
      });
    }
    return await readChangedWebhook(em, webhook.id);
  });
}
