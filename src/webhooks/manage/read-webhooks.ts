import { requirePermission } from '../../access/permissions.js';
import type { Principal } from '../../access/principal.js';
import type { SecretDeps } from '../../secrets/secret-versions.js';
import { toWebhookView, WEBHOOK_COLUMNS, type WebhookRow, type WebhookView } from './webhook-view.js';

/**
 * Reads webhooks in one statement, for a data loader.
 *
 * @param ids UUIDs.
 * @returns one entry an id, in their order; `undefined` where there is none, or none any more.
 * @throws AppError UNAUTHENTICATED, FORBIDDEN.
 */
export async function readWebhooks(
  deps: Pick<SecretDeps, 'database'>,
  principal: Principal | undefined,
  ids: readonly string[],
): Promise<readonly (WebhookView | undefined)[]> {
  requirePermission(principal, 'webhooks:read');
  const { rows } = await deps.database.pool.query<WebhookRow>({
    name: 'read-webhooks',
    text: `select ${WEBHOOK_COLUMNS} from webhooks w where w.id = any($1::uuid[]) and w.deleted_at is null`,
    values: [ids],
  });
  const views = new Map(rows.map((row) => [row.id, toWebhookView(row)]));
  return ids.map((id) => views.get(id));
}
