import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import type { Sql } from '../db/database.js';
import { AppError } from '../errors.js';

/** What the steps of one model were charged on one day. */
export interface UsageView {
  /** Its beginning, in UTC. */
  readonly day: Date;
  /** A UUID; the model may be deleted by now. */
  readonly modelId: string;
  readonly modelName: string;
  readonly steps: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly cachedTokens: number;
  readonly costNanos: bigint;
}

export interface UsageQuery {
  /** A UUID; without it, of all webhooks together. */
  readonly webhookId?: string | undefined;
  /** The days that these lie in and those between them. */
  readonly from: Date;
  readonly to: Date;
}

const DAYS_MAX = 400;

const DAY_MS = 86_400_000;

const READ = `
  select u.day::timestamp at time zone 'UTC' as day, u.model_id as "modelId", m.name as "modelName",
    sum(u.steps)::float8 as steps, sum(u.prompt_tokens)::float8 as "promptTokens",
    sum(u.completion_tokens)::float8 as "completionTokens", sum(u.cached_tokens)::float8 as "cachedTokens",
    sum(u.cost_nanos)::text as "costNanos"
  from model_usage u join models m on m.id = u.model_id
  where ($1::uuid is null or u.webhook_id = $1)
    and u.day between ($2::timestamptz at time zone 'UTC')::date and ($3::timestamptz at time zone 'UTC')::date
  group by u.day, u.model_id, m.name order by u.day desc, m.name, u.model_id`;

/**
 * Reads what models were paid, by day and model, the newest day first.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, BAD_USER_INPUT for more than 400 days.
 */
export async function readUsage(
  sql: Sql,
  principal: Principal | undefined,
  { webhookId, from, to }: UsageQuery,
): Promise<readonly UsageView[]> {
  requirePermission(principal, 'statistics:read');
  if (from > to) throw new AppError('BAD_USER_INPUT', 'The time must begin before it ends.');
  if (to.getTime() - from.getTime() > DAYS_MAX * DAY_MS) {
    throw new AppError('BAD_USER_INPUT', `At most ${DAYS_MAX} days can be asked for at once.`);
  }
  const { rows } = await sql.query<Omit<UsageView, 'costNanos'> & { costNanos: string }>(READ, [webhookId, from, to]);
  return rows.map((row) => ({ ...row, costNanos: BigInt(row.costNanos) }));
}

/** What a webhook has spent today. */
export interface SpentToday {
  readonly tokens: number;
  readonly costNanos: bigint;
  /** Executions that began; counted only while a cap of them is set. */
  readonly runs: number;
}

const TODAY = `
  select id as "webhookId",
    coalesce((select sum(prompt_tokens + completion_tokens) from model_usage where webhook_id = id and day = today), 0)
      ::float8 as tokens,
    coalesce((select sum(cost_nanos) from model_usage where webhook_id = id and day = today), 0)::text as "costNanos",
    coalesce((select runs from spend_days where webhook_id = id and day = today), 0)::float8 as runs
  from unnest($1::uuid[]) as w(id), (select (now() at time zone 'UTC')::date as today) t`;

/** Reads what each of some webhooks has spent today (UTC). */
export async function readSpentToday(sql: Sql, webhookIds: readonly string[]): Promise<Map<string, SpentToday>> {
  const { rows } = await sql.query<{ webhookId: string; tokens: number; costNanos: string; runs: number }>(TODAY, [
    webhookIds,
  ]);
  return new Map(
    rows.map(({ webhookId, costNanos, ...spent }) => [webhookId, { ...spent, costNanos: BigInt(costNanos) }]),
  );
}
