import { requirePermission } from '../../access/permissions.js';
import type { Principal } from '../../access/principal.js';
import type { Database } from '../../db/database.js';

/**
 * Finds the webhooks that run some workers, in one statement, for a data loader.
 *
 * @returns the UUIDs of the webhooks by worker id, the newest webhook first; a worker that none runs is not in it.
 * @throws AppError UNAUTHENTICATED, FORBIDDEN.
 */
export async function readWebhookIdsByWorker(
  { database }: { readonly database: Database },
  principal: Principal | undefined,
  workerIds: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  requirePermission(principal, 'webhooks:read');
  const { rows } = await database.pool.query<{ workerId: string; webhookIds: string[] }>({
    name: 'read-webhooks-of-workers',
    text: `select u.worker_id as "workerId", array_agg(w.id::text order by w.created_at desc, w.id desc) as "webhookIds"
      from webhook_workers u join webhooks w on w.id = u.webhook_id and w.deleted_at is null
      where u.worker_id = any($1) group by u.worker_id`,
    values: [workerIds],
  });
  return new Map(rows.map((row) => [row.workerId, row.webhookIds]));
}
