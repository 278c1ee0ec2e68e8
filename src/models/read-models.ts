import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import type { Sql } from '../db/database.js';
import { Conditions, type KeysetPage, keysetPage, type KeysetRequest } from '../db/keyset.js';
import type { ModelProvider } from './model.entity.js';

/** A model as the admin API shows it: no key is in it. Prices are nano-dollars for a million tokens. */
export interface ModelView {
  /** A UUID. */
  readonly id: string;
  readonly name: string;
  readonly provider: ModelProvider;
  readonly baseUrl: string | null;
  readonly modelName: string;
  /** The end of its key; `null` when it has none. */
  readonly apiKeyHint: string | null;
  readonly promptPrice: bigint;
  readonly completionPrice: bigint;
  readonly cachedPrice: bigint | null;
  readonly requestsPerMinute: number;
  readonly tokensPerMinute: number;
  readonly concurrencyMax: number;
  readonly structuredOutputs: boolean;
  readonly isDefault: boolean;
  /** Whose settings in the environment decide; `null` when it is edited here. */
  readonly managedBy: string | null;
  /** Until when its provider asked not to be asked; `null` when it may be. */
  readonly pausedUntil: Date | null;
  readonly version: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

type ModelRow = Omit<ModelView, 'promptPrice' | 'completionPrice' | 'cachedPrice'> & {
  readonly promptPrice: string;
  readonly completionPrice: string;
  readonly cachedPrice: string | null;
};

const COLUMNS = `id, name, provider, base_url as "baseUrl", model_name as "modelName", api_key_hint as "apiKeyHint",
  prompt_price as "promptPrice", completion_price as "completionPrice", cached_price as "cachedPrice",
  requests_per_minute as "requestsPerMinute", tokens_per_minute as "tokensPerMinute",
  concurrency_max as "concurrencyMax", structured_outputs as "structuredOutputs", is_default as "isDefault",
  managed_by as "managedBy", case when paused_until > now() then paused_until end as "pausedUntil", version,
  created_at as "createdAt", updated_at as "updatedAt"`;

/** Lists models, the newest first. @throws AppError UNAUTHENTICATED, FORBIDDEN. */
export async function listModels(
  sql: Sql,
  principal: Principal | undefined,
  page: KeysetRequest,
): Promise<KeysetPage<ModelView>> {
  requirePermission(principal, 'models:read');
  const where = new Conditions();
  where.add(page.after, (id) => `id < ${id}`);
  where.add(page.before, (id) => `id > ${id}`);
  const limit = where.place(page.limit + 1);
  const order = page.fromEnd ? 'asc' : 'desc';
  const { rows } = await sql.query<ModelRow>(
    `select ${COLUMNS} from models where deleted_at is null and ${where.text} order by id ${order} limit ${limit}`,
    where.values,
  );
  return keysetPage(page, rows.map(toView));
}

/** How many models there are. @throws AppError UNAUTHENTICATED, FORBIDDEN. */
export async function countModels(sql: Sql, principal: Principal | undefined): Promise<number> {
  requirePermission(principal, 'models:read');
  const { rows } = await sql.query<{ count: number }>(
    'select count(*)::int as count from models where deleted_at is null',
  );
  return rows[0]!.count;
}

/** Models by id, in no order; those that are deleted or don't exist are left out. */
export async function readModelsById(sql: Sql, ids: readonly string[]): Promise<readonly ModelView[]> {
  const { rows } = await sql.query<ModelRow>(
    `select ${COLUMNS} from models where deleted_at is null and id = any($1::uuid[])`,
    [ids],
  );
  return rows.map(toView);
}

function toView(row: ModelRow): ModelView {
  const { promptPrice, completionPrice, cachedPrice } = row;
  return {
    ...row,
    promptPrice: BigInt(promptPrice),
    completionPrice: BigInt(completionPrice),
    cachedPrice: cachedPrice === null ? null : BigInt(cachedPrice),
  };
}
