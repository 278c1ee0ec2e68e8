import type { Sql } from '../db/database.js';
import { statisticsUpsertSql } from './statistics-sql.js';

/**
 * Minutes are kept for a chart of the last day, then hours, then days, so that what is read of all time stays small:
 * 432,000 counters of ten days ago fold into 7,500.
 */
const MINUTES_KEPT = '1 day';
const HOURS_KEPT = '62 days';

/**
 * Folds old counters into one row an hour or day, outcome and duration, without shards. Nothing is lost but the
 * minute. A call that ends after its minute was folded makes a new row there, which the next time takes.
 *
 * @param unit the counters that are not one a `unit` yet are folded.
 */
const foldSql = (unit: 'hour' | 'day', olderThan: string): string => `
  with old as (
    delete from call_statistics
    where bucket_start < date_trunc('day', now() - interval '${olderThan}', 'UTC')
      and (shard <> 0 or bucket_start <> date_trunc('${unit}', bucket_start, 'UTC'))
    returning webhook_id, date_trunc('${unit}', bucket_start, 'UTC') as start, outcome, duration_bucket, calls,
      prompt_tokens, completion_tokens, cost_nanos
  ),
  folded as (
    select webhook_id, start as bucket_start, 0::smallint as shard, outcome, duration_bucket, sum(calls) as calls,
      sum(prompt_tokens) as prompt_tokens, sum(completion_tokens) as completion_tokens,
      sum(cost_nanos) as cost_nanos
    from old group by webhook_id, start, outcome, duration_bucket
  )
  ${statisticsUpsertSql('folded', true)}`;

const FOLDS = [foldSql('hour', MINUTES_KEPT), foldSql('day', HOURS_KEPT)];

/**
 * Makes old statistics small. For a maintenance that runs now and then, in any number of processes: each statement is
 * a transaction of its own, and what one has folded another does not find.
 */
export async function compactStatistics(sql: Sql): Promise<void> {
  for (const fold of FOLDS) await sql.query(fold);
}
