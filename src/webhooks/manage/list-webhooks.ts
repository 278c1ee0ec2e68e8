import { requirePermission } from '../../access/permissions.js';
import type { Principal } from '../../access/principal.js';
import { Conditions, type KeysetPage, type KeysetRequest } from '../../db/keyset.js';
import { byName, byTime, readSorted, type SortedList, type SortedRow, type SortOrder } from '../../db/sorted-list.js';
import type { SecretDeps } from '../../secrets/secret-versions.js';
import { toWebhookView, WEBHOOK_COLUMNS, type WebhookRow, type WebhookView } from './webhook-view.js';

export interface WebhookFilter {
  readonly active?: boolean | undefined;
  /** Part of the name or the description, in any case. */
  readonly text?: string | undefined;
  /** Only webhooks that run this worker. */
  readonly workerId?: string | undefined;
}

/** By what webhooks can be ordered. */
export type WebhookOrderField = 'CREATED_AT' | 'UPDATED_AT' | 'NAME';

export type WebhookOrder = SortOrder<WebhookOrderField>;

export const NEWEST_WEBHOOKS_FIRST: WebhookOrder = { field: 'CREATED_AT', descending: true };

const WEBHOOKS: SortedList<WebhookOrderField> = {
  keys: { CREATED_AT: byTime('w.created_at'), UPDATED_AT: byTime('w.updated_at'), NAME: byName('w.name') },
  idColumn: 'w.id',
  idType: 'uuid',
};

/**
 * Lists webhooks. A page costs what its rows cost, wherever it lies.
 *
 * @param page its places are cursors that this function gave for the same order.
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, BAD_USER_INPUT for a cursor of something else.
 */
export async function listWebhooks(
  { database }: Pick<SecretDeps, 'database'>,
  principal: Principal | undefined,
  filter: WebhookFilter,
  order: WebhookOrder,
  page: KeysetRequest,
): Promise<KeysetPage<SortedRow<WebhookView>>> {
  requirePermission(principal, 'webhooks:read');
  const { items, ...more } = await readSorted<WebhookRow, WebhookOrderField>(database.pool, WEBHOOKS, {
    select: WEBHOOK_COLUMNS,
    from: 'webhooks w',
    where: matches(filter),
    order,
    page,
  });
  return { ...more, items: items.map(({ cursor, row }) => ({ cursor, row: toWebhookView(row) })) };
}

/** Counts what {@link listWebhooks} would list in all. It reads every webhook, so only when somebody asks. */
export async function countWebhooks(
  { database }: Pick<SecretDeps, 'database'>,
  principal: Principal | undefined,
  filter: WebhookFilter,
): Promise<number> {
  requirePermission(principal, 'webhooks:read');
  const where = matches(filter);
  const { rows } = await database.pool.query<{ count: number }>(
    `select count(*)::integer as count from webhooks w where ${where.text}`,
    where.values,
  );
  return rows[0]!.count;
}

function matches({ active, text, workerId }: WebhookFilter): Conditions {
  const where = new Conditions('w.deleted_at is null');
  where.add(active, (place) => `w.active = ${place}`);
  where.add(
    text,
    (place) => `(strpos(lower(w.name), lower(${place})) > 0 or strpos(lower(w.description), lower(${place})) > 0)`,
  );
  where.add(
    workerId,
    (place) => `exists (select 1 from webhook_workers x where x.webhook_id = w.id and x.worker_id = ${place})`,
  );
  return where;
}
