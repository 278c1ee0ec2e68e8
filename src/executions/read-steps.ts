import type { Sql } from '../db/database.js';
import { asJsonText, type JsonText } from '../lib/json-text.js';
import type { StepState, StepUsage } from '../workers/worker-run.js';
import type { ExecutionError } from './execution.entity.js';

/** A durable step of an execution. */
export interface ExecutionStepView {
  /** Where the step stands: those of a worker that another one calls are below the path of the call. */
  readonly path: string;
  /** The attempt that began it last. */
  readonly attempt: number;
  readonly status: StepStatus;
  /** The worker that it runs, when it is a call. */
  readonly workerId: string | null;
  readonly workerVersion: number | null;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
  readonly usage: StepUsage | null;
  readonly error: ExecutionError | null;
  /** Of a step of a workflow. */
  readonly state: StepState | null;
}

/**
 * RUNNING: begun and not ended; in an execution that doesn't run, its attempt was cut off. WAITING: for a moment, for its
 * next try, or for a person. SKIPPED: its condition did not hold.
 */
export const STEP_STATUSES = ['RUNNING', 'WAITING', 'SUCCEEDED', 'FAILED', 'SKIPPED'] as const;
export type StepStatus = (typeof STEP_STATUSES)[number];

/** What a step gave, as far as it is shown. */
export interface StepOutput {
  /** JSON as it is stored; of a longer one the beginning. */
  readonly text: JsonText;
  /** In characters, of the whole. */
  readonly length: number;
}

/** Characters of an output that are shown. */
export const OUTPUT_SHOWN_MAX = 65_536;

/** Steps of one execution that are listed. */
const STEPS_SHOWN_MAX = 1_000;

const STEP_COLUMNS = `
  path, attempt, status, worker_id as "workerId", worker_version as "workerVersion", started_at as "startedAt",
  finished_at as "finishedAt", usage, error, state`;

const STEPS_OF_EACH = `
  select e.id as "executionId", s.* from unnest($1::uuid[]) as e(id) cross join lateral (
    select ${STEP_COLUMNS} from execution_steps where execution_id = e.id
    order by started_at, path limit ${STEPS_SHOWN_MAX}
  ) s`;

/** Reads the steps of some executions, each in the order in which they started, the first thousand. */
export async function readStepsOfExecutions(
  sql: Sql,
  executionIds: readonly string[],
): Promise<ReadonlyMap<string, readonly ExecutionStepView[]>> {
  const { rows } = await sql.query<ExecutionStepView & { readonly executionId: string }>({
    name: 'read-steps-of-executions',
    text: STEPS_OF_EACH,
    values: [executionIds],
  });
  return Map.groupBy(rows, ({ executionId }) => executionId);
}

/** Names one step of one execution. */
export interface StepKey {
  readonly executionId: string;
  readonly path: string;
}

const OUTPUTS = `
  select i.at, left(s.output::text, ${OUTPUT_SHOWN_MAX}) as text, length(s.output::text) as length
  from unnest($1::uuid[], $2::text[]) with ordinality as i(execution_id, path, at)
  join execution_steps s on s.execution_id = i.execution_id and s.path = i.path
  where s.output is not null`;

/** Reads what steps gave, in the order of the keys; `undefined` for those that gave nothing. */
export async function readStepOutputs(sql: Sql, keys: readonly StepKey[]): Promise<(StepOutput | undefined)[]> {
  const { rows } = await sql.query<{ at: string; text: string; length: number }>({
    name: 'read-step-outputs',
    text: OUTPUTS,
    values: [keys.map(({ executionId }) => executionId), keys.map(({ path }) => path)],
  });
  const outputs = new Map(rows.map(({ at, text, length }) => [Number(at), { text: asJsonText(text), length }]));
  return keys.map((_, index) => outputs.get(index + 1));
}
