import { setTimeout as delay } from 'node:timers/promises';
import { NO_DURATION_BUCKET } from '../calls/duration-buckets.js';
import { statisticsUpsertSql } from '../calls/statistics-sql.js';
import type { Sql } from '../db/database.js';
import { backoffMs } from '../lib/backoff.js';
import type { StepTokens } from './cost.js';

/** A step that was paid. Ids are UUIDs. */
export interface PaidStep extends StepTokens {
  /** New for each step: a settlement that is tried again counts once. */
  readonly stepId: string;
  readonly executionId: string;
  readonly webhookId: string;
  readonly modelId: string;
  readonly costNanos: bigint;
}

/**
 * One statement and one commit for all that is counted: the execution, the statistics of the minute in which its call
 * was received, the webhook's day (in UTC, of now: that is when it is paid) and the end of the step's lease.
 *
 * Rows are taken in the order of the hot statements, `executions` before `call_statistics`, for a step whose worker has
 * timed out is settled while the execution's end is written.
 */
const SETTLE = `
  with charged as (
    update executions set
      prompt_tokens = coalesce(prompt_tokens, 0) + $3, completion_tokens = coalesce(completion_tokens, 0) + $4,
      cached_tokens = coalesce(cached_tokens, 0) + $5, cost_nanos = coalesce(cost_nanos, 0) + $6, last_step_id = $2
    where id = $1 and last_step_id is distinct from $2
    returning queued_at
  ),
  counted as (
    select $7::uuid as webhook_id, date_trunc('minute', queued_at, 'UTC') as bucket_start, $9::smallint as shard,
      'SUCCEEDED' as outcome, ${NO_DURATION_BUCKET}::smallint as duration_bucket, 0::bigint as calls,
      $3::bigint as prompt_tokens, $4::bigint as completion_tokens, $6::bigint as cost_nanos
    from charged
  ),
  statistics as (${statisticsUpsertSql('counted', true)}),
  day as (
    insert into model_usage as u (webhook_id, day, model_id, steps, prompt_tokens, completion_tokens, cached_tokens,
      cost_nanos)
    select $7, (now() at time zone 'UTC')::date, $8, 1, $3, $4, $5, $6 from charged
    on conflict (webhook_id, day, model_id) do update set
      steps = u.steps + 1, prompt_tokens = u.prompt_tokens + excluded.prompt_tokens,
      completion_tokens = u.completion_tokens + excluded.completion_tokens,
      cached_tokens = u.cached_tokens + excluded.cached_tokens, cost_nanos = u.cost_nanos + excluded.cost_nanos
  )
  delete from model_leases where id = $2`;

const TRIES = 6;

const RETRY = { baseMs: 100, maxMs: 5_000 };

/**
 * Counts a paid step, and tries again while the database is away.
 *
 * @param shard this process's shard of the counters.
 * @throws what PostgreSQL said at the last try.
 */
export async function settleStep(sql: Sql, shard: number, step: PaidStep): Promise<void> {
  const { stepId, executionId, webhookId, modelId, promptTokens, completionTokens, cachedTokens, costNanos } = step;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await sql.query({
        name: 'settle-model-step',
        text: SETTLE,
        values: [
          executionId,
          stepId,
          promptTokens,
          completionTokens,
          cachedTokens,
          costNanos.toString(),
          webhookId,
          modelId,
          shard,
        ],
      });
      return;
    } catch (error) {
      if (attempt >= TRIES) throw error;
      await delay(backoffMs(attempt, RETRY));
    }
  }
}
