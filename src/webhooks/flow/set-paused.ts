import { recordAudit } from '../../access/audit.js';
import { requirePermission } from '../../access/permissions.js';
import type { Principal } from '../../access/principal.js';
import { formatId } from '../../lib/ids.js';
import type { SecretDeps } from '../../secrets/secret-versions.js';
import { lockForChange, writeChange } from '../manage/change-webhook.js';
import { readChangedWebhook, type WebhookView } from '../manage/webhook-view.js';

export interface SetPausedInput {
  /** A UUID. */
  readonly id: string;
  readonly paused: boolean;
  readonly expectedVersion?: number | undefined;
}

/**
 * Pauses or resumes a webhook; doing it twice changes nothing. A paused one takes calls and keeps them, and runs none;
 * what was in progress goes on. Once it is resumed they run in order.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, CONFLICT.
 */
export async function setPaused(
  deps: Pick<SecretDeps, 'database' | 'clock'>,
  principal: Principal | undefined,
  input: SetPausedInput,
): Promise<WebhookView> {
  requirePermission(principal, 'webhooks:write');
  return await deps.database.transaction(async (em) => {
    const webhook = await lockForChange(em, input.id, input.expectedVersion);
    if (webhook.paused !== input.paused) {
      webhook.paused = input.paused;
      await writeChange(em, deps.clock, webhook);
      await recordAudit(em, principal, {
        action: input.paused ? 'webhook.paused' : 'webhook.resumed',
        subjectId: formatId('webhook', webhook.id),
      });
    }
    return await readChangedWebhook(em, webhook.id);
  });
}
