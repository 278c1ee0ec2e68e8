import type { Sql } from '../db/database.js';
import { asJsonText } from '../lib/json-text.js';
import type { FinishedStep, NotedStep, StepState, StepUsage } from '../workers/worker-run.js';
import type { ExecutionError } from './execution.entity.js';
import { foldText, type Texts } from './text-pieces.js';

/** What earlier attempts of an execution left. Paths are whole ones. */
export interface EarlierProgress {
  readonly finished: Map<string, FinishedStep>;
  /** The version of the worker that a step runs, since it was first started. */
  readonly versions: Map<string, number>;
  readonly texts: Texts;
  /** The steps that keep a state, the finished ones among them. */
  readonly noted: Map<string, NotedStep>;
  /** The others that are begun and not over. */
  readonly running: Set<string>;
}

interface StepRow {
  readonly path: string;
  readonly attempt: number;
  readonly status: NotedStep['status'];
  readonly version: number | null;
  readonly output: string | null;
  readonly usage: StepUsage | null;
  readonly state: StepState | null;
  readonly input: string | null;
  readonly error: ExecutionError | null;
}

const STEPS = `
  select path, attempt, status, worker_version as version, output::text as output, usage, state,
    input::text as input, case when state is not null then error end as error
  from execution_steps where execution_id = $1`;

const TEXT = `
  select data::text as data from execution_events where execution_id = $1 and kind = 'text' order by seq`;

/** Reads what there is to go on from. Only for an execution that was begun before. */
export async function loadProgress(sql: Sql, executionId: string): Promise<EarlierProgress> {
  const steps = await sql.query<StepRow>({ name: 'load-steps', text: STEPS, values: [executionId] });
  const text = await sql.query<{ data: string }>({ name: 'load-text', text: TEXT, values: [executionId] });
  const finished = new Map<string, FinishedStep>();
  const versions = new Map<string, number>();
  const noted = new Map<string, NotedStep>();
  const running = new Set<string>();
  for (const { path, attempt, status, version, output, usage, state, input, error } of steps.rows) {
    if (state !== null) {
      noted.set(path, {
        status,
        state,
        input: input === null ? undefined : asJsonText(input),
        error: error ?? undefined,
      });
    }
    if (state === null && status === 'RUNNING') running.add(path);
    if (version !== null) versions.set(path, version);
    if (status !== 'SUCCEEDED' || output === null) continue;
    finished.set(path, { output: asJsonText(output), attempt, ...(usage !== null && { usage }) });
  }
  return { finished, versions, texts: foldText(text.rows.map(({ data }) => data)), noted, running };
}

/** Of an execution that begins. */
export function noProgress(): EarlierProgress {
  return { finished: new Map(), versions: new Map(), texts: new Map(), noted: new Map(), running: new Set() };
}
