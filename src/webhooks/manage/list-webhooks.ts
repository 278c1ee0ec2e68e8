import { requirePermission } from '../../access/permissions.js';
import type { Principal } from '../../access/principal.js';
import { AppError } from '../../errors.js';
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
export const WEBHOOK_ORDER_FIELDS = ['CREATED_AT', 'UPDATED_AT', 'NAME'] as const;
export type WebhookOrderField = (typeof WEBHOOK_ORDER_FIELDS)[number];

export interface WebhookOrder {
  readonly field: WebhookOrderField;
  readonly descending: boolean;
}

/** From the front or from the back, as the Relay connection specification has it. */
export interface ListWebhooksInput extends WebhookFilter {
  /** Without it the newest first. */
  readonly order?: WebhookOrder | undefined;
  readonly first?: number | undefined;
  readonly after?: string | undefined;
  readonly last?: number | undefined;
  readonly before?: string | undefined;
}

export interface WebhookPage {
  readonly edges: readonly { readonly cursor: string; readonly webhook: WebhookView }[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
}

const PAGE = { default: 25, max: 100 };

const NEWEST_FIRST: WebhookOrder = { field: 'CREATED_AT', descending: true };

interface SortKey {
  /** What is ordered by. Two can have the same: behind it the id decides. */
  readonly column: string;
  /** The same as a cursor carries it: text. */
  readonly print: string;
  /** What a cursor carried, at a place of the statement. */
  readonly parse: (place: string) => string;
  readonly pattern: RegExp;
}

/** In microseconds: two webhooks can be made in one millisecond, and a cursor must stand between them. */
const timeKey = (column: string): SortKey => ({
  column,
  print: `(extract(epoch from ${column}) * 1000000)::bigint::text`,
  parse: (place) => `timestamptz 'epoch' + ${place}::bigint * interval '1 microsecond'`,
  pattern: /^\d{1,17}$/,
});

const SORT_KEYS: Readonly<Record<WebhookOrderField, SortKey>> = {
  CREATED_AT: timeKey('w.created_at'),
  UPDATED_AT: timeKey('w.updated_at'),
  NAME: { column: 'lower(w.name)', print: 'lower(w.name)', parse: (place) => `${place}::text`, pattern: /^[^\0]*$/ },
};

const MATCHES = `
  w.deleted_at is null
  and ($1::boolean is null or w.active = $1)
  and ($2::text is null or strpos(lower(w.name), lower($2)) > 0 or strpos(lower(w.description), lower($2)) > 0)
  and ($3::text is null or exists (select 1 from webhook_workers x where x.webhook_id = w.id and x.worker_id = $3))`;

/**
 * Lists webhooks. A page costs what its rows cost, wherever it lies.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, BAD_USER_INPUT for a page that makes no sense.
 */
export async function listWebhooks(
  deps: Pick<SecretDeps, 'database'>,
  principal: Principal | undefined,
  input: ListWebhooksInput,
): Promise<WebhookPage> {
  requirePermission(principal, 'webhooks:read');
  const size = pageSize(input);
  const { field, descending } = input.order ?? NEWEST_FIRST;
  const { column, print, parse } = SORT_KEYS[field];
  const backwards = input.last !== undefined;
  const direction = backwards === descending ? 'asc' : 'desc';
  const [behind, ahead] = descending ? ['<', '>'] : ['>', '<'];
  const { rows } = await deps.database.pool.query<WebhookRow & { sort_key: string }>(
    `select ${print} as sort_key, ${WEBHOOK_COLUMNS} from webhooks w
     where ${MATCHES}
       and ($4::text is null or (${column}, w.id) ${behind} (${parse('$4')}, $5::uuid))
       and ($6::text is null or (${column}, w.id) ${ahead} (${parse('$6')}, $7::uuid))
     order by ${column} ${direction}, w.id ${direction} limit $8`,
    [...filterValues(input), ...readCursor(field, input.after), ...readCursor(field, input.before), size + 1],
  );
  const more = rows.length > size;
  const page = rows.slice(0, size);
  if (backwards) page.reverse();
  return {
    edges: page.map((row) => ({ cursor: printCursor(field, row), webhook: toWebhookView(row) })),
    hasNextPage: backwards ? input.before !== undefined : more,
    hasPreviousPage: backwards ? more : input.after !== undefined,
  };
}

/** Counts what {@link listWebhooks} would list in all. It reads every webhook, so only when somebody asks. */
export async function countWebhooks(
  deps: Pick<SecretDeps, 'database'>,
  principal: Principal | undefined,
  filter: WebhookFilter,
): Promise<number> {
  requirePermission(principal, 'webhooks:read');
  const { rows } = await deps.database.pool.query<{ count: number }>(
    `select count(*)::integer as count from webhooks w where ${MATCHES}`,
    filterValues(filter),
  );
  return rows[0]!.count;
}

function filterValues(filter: WebhookFilter): unknown[] {
  return [filter.active ?? null, filter.text ?? null, filter.workerId ?? null];
}

function pageSize({ first, last }: ListWebhooksInput): number {
  if (first !== undefined && last !== undefined) throw new AppError('BAD_USER_INPUT', 'Give first or last, not both.');
  const size = first ?? last ?? PAGE.default;
  if (!Number.isInteger(size) || size < 0 || size > PAGE.max) {
    throw new AppError('BAD_USER_INPUT', `A page has from 0 to ${PAGE.max} webhooks.`);
  }
  return size;
}

/** It names the order, so that it is not taken for a place in another one. */
function printCursor(field: WebhookOrderField, row: { readonly sort_key: string; readonly id: string }): string {
  return Buffer.from(JSON.stringify([field, row.sort_key, row.id])).toString('base64url');
}

function readCursor(field: WebhookOrderField, cursor: string | undefined): readonly [string | null, string | null] {
  if (cursor === undefined) return [null, null];
  try {
    const parts = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as unknown[];
    const [order, key, id] = parts;
    const isText = typeof key === 'string' && typeof id === 'string';
    if (order === field && isText && SORT_KEYS[field].pattern.test(key) && /^[0-9a-f-]{36}$/.test(id)) return [key, id];
  } catch {
    // said below
  }
  throw new AppError('BAD_USER_INPUT', 'This is not a cursor of this list, or of another order.');
}
