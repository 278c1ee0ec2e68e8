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

/** From the front or from the back, as the Relay connection specification has it. */
export interface ListWebhooksInput extends WebhookFilter {
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

/** Microseconds: two webhooks can be made in one millisecond, and a cursor must stand between them. */
const CREATED_MICROS = '(extract(epoch from w.created_at) * 1000000)::bigint';

const MATCHES = `
  w.deleted_at is null
  and ($1::boolean is null or w.active = $1)
  and ($2::text is null or strpos(lower(w.name), lower($2)) > 0 or strpos(lower(w.description), lower($2)) > 0)
  and ($3::text is null or exists (select 1 from webhook_workers x where x.webhook_id = w.id and x.worker_id = $3))`;

/**
 * Lists webhooks, the newest first. A page costs what its rows cost, wherever it lies.
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
  const backwards = input.last !== undefined;
  const order = backwards ? 'asc' : 'desc';
  const { rows } = await deps.database.pool.query<WebhookRow & { micros: string }>(
    `select ${CREATED_MICROS} as micros, ${WEBHOOK_COLUMNS} from webhooks w
     where ${MATCHES}
       and ($4::text is null or (w.created_at, w.id) < (${timestampOf('$4')}, $5::uuid))
       and ($6::text is null or (w.created_at, w.id) > (${timestampOf('$6')}, $7::uuid))
     order by w.created_at ${order}, w.id ${order} limit $8`,
    [...filterValues(input), ...readCursor('after', input.after), ...readCursor('before', input.before), size + 1],
  );
  const more = rows.length > size;
  const page = rows.slice(0, size);
  if (backwards) page.reverse();
  return {
    edges: page.map((row) => ({ cursor: cursorOf(row), webhook: toWebhookView(row) })),
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

function timestampOf(micros: string): string {
  return `timestamptz 'epoch' + ${micros}::bigint * interval '1 microsecond'`;
}

function cursorOf(row: { readonly micros: string; readonly id: string }): string {
  return Buffer.from(`${row.micros}/${row.id}`).toString('base64url');
}

function readCursor(name: string, cursor: string | undefined): readonly [string | null, string | null] {
  if (cursor === undefined) return [null, null];
  const text = Buffer.from(cursor, 'base64url').toString('latin1');
  const [, micros, id] = /^(\d{1,17})\/([0-9a-f-]{36})$/.exec(text) ?? [];
  if (micros === undefined || id === undefined) {
    throw new AppError('BAD_USER_INPUT', `"${name}" is not a cursor of this list.`);
  }
  return [micros, id];
}
