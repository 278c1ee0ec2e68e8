import type { Sql } from '../db/database.js';
import { runExecutionJobSql } from '../queue/enqueue.js';

const WAKE = `
  select count(*) from graphile_worker.add_jobs(array(
    select ${runExecutionJobSql('$1::uuid')}
    where exists (
      select from execution_steps where execution_id = $1::uuid and status = 'WAITING'
        and (state -> 'decision' ->> 'at')::timestamptz > now() - $2::float8 * interval '1 millisecond')))`;

/** By how much the clocks of who decides and of the database may differ, in milliseconds. */
const CLOCKS_MS = 2_000;

/**
 * Lets an execution go on at once that was put off although somebody had decided about a step of it: the decision came
 * while its attempt was busy with something beside. The job that came with the decision would do it, too, but a queue
 * that was refused an execution asks for it ever less often. What was decided before the attempt began it knows already.
 *
 * @param attemptMs for how long the attempt ran, in milliseconds.
 */
export async function wakeIfDecided(sql: Sql, executionId: string, attemptMs: number): Promise<void> {
  await sql.query({ name: 'wake-decided', text: WAKE, values: [executionId, attemptMs + CLOCKS_MS] });
}
