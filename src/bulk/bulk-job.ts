/** The queue's task that does the next page of a bulk operation. */
export const RUN_BULK_OPERATION = 'run_bulk_operation';

/**
 * How often the queue hands such a job out before it gives it up: with its backoff, for three days. A page that fails
 * has done nothing.
 */
const JOB_ATTEMPTS_MAX = 25;

/**
 * The `graphile_worker.job_spec` of an operation's next page. There is one at most.
 *
 * @param bulkOperationId an SQL expression of type uuid.
 * @param runAt an SQL expression of type timestamptz; null runs it at once.
 */
export function bulkJobSql(bulkOperationId: string, runAt = 'null'): string {
  return `('${RUN_BULK_OPERATION}', json_build_object('bulkOperationId', ${bulkOperationId}), null, ${runAt},
    ${JOB_ATTEMPTS_MAX}, 'bulk:' || ${bulkOperationId}, null, null)::graphile_worker.job_spec`;
}
