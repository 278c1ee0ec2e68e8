/** The queue's task that runs one execution. */
export const RUN_EXECUTION = 'run_execution';

/**
 * How often the queue hands a job out before it gives it up. An execution counts its own attempts and ends long
 * before; this bounds only jobs that can't even be looked at.
 */
export const JOB_ATTEMPTS_MAX = 25;

/**
 * The `graphile_worker.job_spec` that runs an execution, for an array given to `graphile_worker.add_jobs` inside the
 * transaction that makes the execution due.
 *
 * @param executionId an SQL expression of type uuid.
 * @param runAt an SQL expression of type timestamptz; null runs it at once.
 */
export function runExecutionJobSql(executionId: string, runAt = 'null'): string {
  return `('${RUN_EXECUTION}', json_build_object('executionId', ${executionId}), null, ${runAt}, ${JOB_ATTEMPTS_MAX},
    null, null, null)::graphile_worker.job_spec`;
}

/** The execution that a job's payload names; `undefined` when the payload is not one of ours. */
export function executionIdOf(payload: unknown): string | undefined {
  if (typeof payload !== 'object' || payload === null || !('executionId' in payload)) return undefined;
  return typeof payload.executionId === 'string' ? payload.executionId : undefined;
}
