import { AppError } from '../../../errors.js';
import { toResultText } from '../../result-text.js';
import type { LoadedWorker, WorkerKindRunner, WorkerOutput, WorkerRun } from '../../worker-run.js';
import type { Workflow } from '../workflow.js';
import { compileStored } from '../workflow-definition.js';
import { StepScope } from './step-scope.js';
import type { WorkflowRunOptions } from './tried-steps.js';
import { FailedStep, WorkflowRun } from './workflow-run.js';

/** Runs workflows: it goes on where the steps of earlier attempts end. */
export class WorkflowRunner implements WorkerKindRunner {
  readonly kind = 'WORKFLOW';
  readonly #options: WorkflowRunOptions;
  readonly #versions = new WeakMap<LoadedWorker, Workflow>();

  constructor(options: WorkflowRunOptions) {
    this.#options = options;
  }

  /**
   * @throws AppError what a step that failed for good came to, with the step in its message; TEMPLATE_FAILED of the
   *   workflow's output; {@link Postponed} when all that is left waits.
   */
  async run(worker: LoadedWorker, run: WorkerRun): Promise<WorkerOutput> {
    const { steps, output } = this.#compiled(worker);
    const workflow = new WorkflowRun(run, this.#options);
    const start = new StepScope({ input: run.inputParams, steps: {} });
    const { scope, last } = await workflow.list(steps, '', start, run.signal).catch((error: unknown) => {
      // The steps' own retries are over, so the execution's are not begun. Who calls it as a step may try again.
      if (error instanceof FailedStep && run.path === '')
        throw new AppError(error.code, error.message, { cause: error });
      throw error;
    });
    return { result: output === undefined ? last : toResultText(output.evaluate(scope.values)) };
  }

  /** A version never changes: it is compiled once in a process, as long as the registry keeps it. */
  #compiled(worker: LoadedWorker): Workflow {
    const known = this.#versions.get(worker);
    if (known !== undefined) return known;
    const workflow = compileStored(worker.id, worker.definition);
    this.#versions.set(worker, workflow);
    return workflow;
  }
}
