import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import type { Sql } from '../db/database.js';
import { defaultPerMinute, LIMIT_SCOPES, type LimitDefaults, type LimitScope } from './limit-scope.js';

/** A rate limit as the admin API shows it. */
export interface RateLimitView {
  readonly scope: LimitScope;
  /** UUID of the user or webhook; `null` for the number that holds for all without one of their own. */
  readonly subjectId: string | null;
  /** Calls a minute; 0 is no limit. */
  readonly perMinute: number;
  /** When it was set; `null` while the configuration decides. */
  readonly updatedAt: Date | null;
}

const ORDER = 'order by scope, subject_id nulls first';

const COLUMNS = `scope, subject_id as "subjectId", per_minute as "perMinute", updated_at as "updatedAt"`;

/**
 * Lists the limits: for each scope the one that holds for all, from the database or the configuration, then those of
 * particular users and webhooks.
 *
 * @throws AppError FORBIDDEN without the permission `rate-limits:read`.
 */
export async function readRateLimits(
  sql: Sql,
  defaults: LimitDefaults,
  principal: Principal | undefined,
): Promise<RateLimitView[]> {
  requirePermission(principal, 'rate-limits:read');
  const { rows } = await sql.query<RateLimitView>(`select ${COLUMNS} from rate_limit_policies ${ORDER}`);
  return LIMIT_SCOPES.flatMap((scope) => {
    const ofScope = rows.filter((row) => row.scope === scope);
    return ofScope[0]?.subjectId === null ? ofScope : [configured(defaults, scope), ...ofScope];
  });
}

/**
 * Reads the limit that holds for each of some webhooks, in one query: its own, else that for all webhooks.
 *
 * @returns limits by webhook id.
 */
export async function readWebhookLimits(
  sql: Sql,
  defaults: LimitDefaults,
  webhookIds: readonly string[],
): Promise<Map<string, RateLimitView>> {
  const { rows } = await sql.query<RateLimitView>(
    `select ${COLUMNS} from rate_limit_policies
     where scope = 'WEBHOOK' and (subject_id is null or subject_id = any($1::uuid[])) ${ORDER}`,
    [webhookIds],
  );
  const limits = new Map(rows.map((row) => [row.subjectId, row]));
  const forAll = limits.get(null) ?? configured(defaults, 'WEBHOOK');
  return new Map(webhookIds.map((id) => [id, limits.get(id) ?? forAll]));
}

function configured(defaults: LimitDefaults, scope: LimitScope): RateLimitView {
  return { scope, subjectId: null, perMinute: defaultPerMinute(defaults, scope), updatedAt: null };
}
