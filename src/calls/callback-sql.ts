/** The queue's task that sends a callback. Its jobs run on slots of their own, apart from executions. */
export const SEND_CALLBACK = 'send_callback';

/**
 * How often the queue hands such a job out before it gives it up. Each attempt is a job of its own; this bounds only
 * jobs whose outcome can't be written.
 */
const JOB_ATTEMPTS_MAX = 25;

/**
 * The `graphile_worker.job_spec` that sends a callback. A callback has one job at most: a newer one takes the place of
 * one that still waits.
 *
 * @param callbackId an SQL expression of type uuid.
 * @param runAt an SQL expression of type timestamptz; null runs it at once.
 */
export function sendCallbackJobSql(callbackId: string, runAt = 'null'): string {
  return `('${SEND_CALLBACK}', json_build_object('callbackId', ${callbackId}), null, ${runAt}, ${JOB_ATTEMPTS_MAX},
    'callback:' || ${callbackId}, null, null)::graphile_worker.job_spec`;
}

/** A random UUIDv7 with the milliseconds of another; `uuid` is an SQL expression. */
export function besideUuidSql(uuid: string): string {
  return `(left(${uuid}::text, 14) || '7' || substr(gen_random_uuid()::text, 16))::uuid`;
}

/**
 * CTEs that write the callbacks of calls that end, with their jobs, for every statement that ends calls: the end and
 * the word of it are committed together. The statement has to select from `callback_jobs`: PostgreSQL runs nothing else
 * that only reads.
 *
 * A webhook without a callback pays one look into an empty or tiny index for each call that ends. Measured in turn with
 * the same statement without them, 1,500 each: 0.99 of the time with 30 calls a statement, 1.01 with one, both within the
 * noise. A second text for batches without callbacks would gain nothing.
 *
 * @param source a CTE with `id`, `webhook_id` of the calls, and `finished`: whether the call ended here.
 */
export function callbacksSql(source: string): string {
  return `
  new_callbacks as (
    insert into callbacks (id, call_id, webhook_id, next_attempt_at)
    select ${besideUuidSql('c.id')}, c.id, c.webhook_id, now()
    from ${source} c join webhook_callbacks w on w.webhook_id = c.webhook_id where c.finished
    returning id
  ),
  callback_jobs as (
    select case when cardinality(specs) > 0 then (select count(*) from graphile_worker.add_jobs(specs)) end
    from (select array(select ${sendCallbackJobSql('id')} from new_callbacks) as specs) due
  )`;
}
