import { recordAudit } from '../../access/audit.js';
import { requirePermission } from '../../access/permissions.js';
import type { Principal } from '../../access/principal.js';
import { holdQueued } from '../../flow/hold-queued.js';
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
 * Pauses or resumes a webhook; doing it twice changes nothing. A paused one takes calls and keeps them, and runs none,
 * also none of those that were queued and had not begun; what has begun goes on. Once it is resumed they run in order.
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
      if (input.paused) await holdQueued(em, webhook.id);
      await recordAudit(em, principal, {
        action: input.paused ? 'webhook.paused' : 'webhook.resumed',
        subjectId: formatId('webhook', webhook.id),
      });
    }
    return await readChangedWebhook(em, webhook.id);
  });
}
