import type { Sql } from '../db/database.js';
import type { JsonText } from '../lib/json-text.js';

/** A durable step of an execution; JSON stays the text that it is stored as. */
export interface ExecutionStepView {
  /** Where the step stands in its workflow. */
  readonly path: string;
  readonly attempt: number;
  readonly status: string;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
  readonly output: JsonText | null;
  readonly error: JsonText | null;
}

const READ_STEPS = `
  select path, attempt, status, started_at as "startedAt", finished_at as "finishedAt",
    output::text as output, error::text as error
  from execution_steps where execution_id = $1 order by started_at, path`;

/** Reads an execution's steps in the order in which they started. */
export async function readSteps(sql: Sql, executionId: string): Promise<ExecutionStepView[]> {
  const { rows } = await sql.query<ExecutionStepView>({
    name: 'read-steps',
    text: READ_STEPS,
    values: [executionId],
  });
  return rows;
}
