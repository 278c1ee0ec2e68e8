/**
 * The statement that raises the counters, for the places that count: accept, finish, rejected calls and the steps of models. Each
 * puts it last into its own statement, so that a fact and its count are committed together.
 *
 * The rows go in by the order of the key: two statements that raise the same counters then lock them in the same
 * order and cannot deadlock. Within one statement a key may come only once (PostgreSQL refuses to touch a row twice),
 * so the source groups by it.
 *
 * @param source a relation or CTE with the columns `webhook_id uuid, bucket_start timestamptz` (the start of the
 *   minute in which the call was received, for its end too: a minute's calls and their outcomes then stand together),
 *   `shard smallint, outcome text, duration_bucket smallint, calls bigint, prompt_tokens bigint,
 *   completion_tokens bigint`.
 * @param costs whether it has a `cost_nanos bigint`, too: only the steps of models cost something.
 */
export function statisticsUpsertSql(source: string, costs = false): string {
  return `
    insert into call_statistics as counters (webhook_id, bucket_start, shard, outcome, duration_bucket, calls,
      prompt_tokens, completion_tokens${costs ? ', cost_nanos' : ''})
    select webhook_id, bucket_start, shard, outcome, duration_bucket, calls, prompt_tokens,
      completion_tokens${costs ? ', cost_nanos' : ''}
    from ${source}
    order by webhook_id, bucket_start, shard, outcome, duration_bucket
    on conflict (webhook_id, bucket_start, shard, outcome, duration_bucket) do update set
      calls = counters.calls + excluded.calls,
      prompt_tokens = counters.prompt_tokens + excluded.prompt_tokens,
      completion_tokens = counters.completion_tokens + excluded.completion_tokens${
        costs ? ',\n      cost_nanos = counters.cost_nanos + excluded.cost_nanos' : ''
      }`;
}
