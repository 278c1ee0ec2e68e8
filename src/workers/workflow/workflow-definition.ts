import { z } from 'zod';
import { AppError } from '../../errors.js';
import type { Outcome } from '../../lib/user-error.js';
import { type CompiledWorkflow, compileWorkflow } from './compile-workflow.js';
import type { Workflow } from './workflow.js';

/** What `worker_versions.definition` holds for a workflow. */
const StoredWorkflow = z.strictObject({
  /** As its author wrote it. */
  workflow: z.record(z.string(), z.unknown()),
  /** The workers that its steps run, each once: what uses what is asked of the database. */
  workerIds: z.array(z.string()),
});
export type StoredWorkflow = z.output<typeof StoredWorkflow>;

/** What is stored of a definition that compiles. */
export function toStoredWorkflow(definition: unknown, { workers }: CompiledWorkflow): StoredWorkflow {
  return {
    workflow: definition as Record<string, unknown>,
    workerIds: [...new Set(workers.map(({ id }) => id))],
  };
}

/** Reads a stored definition. */
export function readStoredWorkflow(workerId: string, definition: Readonly<Record<string, unknown>>): StoredWorkflow {
  const parsed = StoredWorkflow.safeParse(definition);
  if (parsed.success) return parsed.data;
  throw new AppError('INTERNAL_SERVER_ERROR', undefined, {
    detail: `the definition of ${workerId} is not a workflow's`,
  });
}

/**
 * Compiles a stored workflow, to run it.
 *
 * @throws AppError INTERNAL_SERVER_ERROR when it does not compile any more.
 */
export function compileStored(workerId: string, definition: Readonly<Record<string, unknown>>): Workflow {
  const outcome: Outcome<CompiledWorkflow> = compileWorkflow(readStoredWorkflow(workerId, definition).workflow);
  if (outcome.ok) return outcome.value.workflow;
  const [fault] = outcome.userErrors;
  throw new AppError('INTERNAL_SERVER_ERROR', undefined, {
    detail: `${workerId} does not compile: ${fault?.field.join('.')}: ${fault?.message}`,
  });
}
