import type { Workflow, WorkflowStep } from './workflow.js';

/** A step of a workflow without its templates, for showing. */
export interface OutlinedStep {
  readonly id: string;
  readonly kind: WorkflowStep['kind'];
  /** The id of the step that it lies in; `null` at the top. */
  readonly parentId: string | null;
  /** With `worker`, the worker that it runs. */
  readonly workerId: string | null;
  /** With `http`, the connection that it goes through, in its public form. */
  readonly connectionId: string | null;
}

/** All steps of a workflow, each followed by those inside of it. */
export function outlineOf({ steps }: Workflow): readonly OutlinedStep[] {
  return outlined(steps, null);
}

function outlined(steps: readonly WorkflowStep[], parentId: string | null): readonly OutlinedStep[] {
  return steps.flatMap((step) => [
    {
      id: step.id,
      kind: step.kind,
      parentId,
      workerId: step.kind === 'worker' ? step.workerId : null,
      connectionId: step.kind === 'http' ? step.connectionId : null,
    },
    ...listsIn(step).flatMap((list) => outlined(list, step.id)),
  ]);
}

/** The lists of steps that lie in a step. */
export function listsIn(step: WorkflowStep): readonly (readonly WorkflowStep[])[] {
  switch (step.kind) {
    case 'foreach':
      return [step.do];
    case 'parallel':
      return step.branches;
    case 'switch':
      return step.cases.map((one) => one.do);
    case 'worker':
    case 'http':
    case 'approval':
    case 'wait':
    case 'set':
      return [];
  }
}
