import { AppError, messageOf } from '../../../errors.js';
import { asJsonText, type JsonText } from '../../../lib/json-text.js';
import { toResultText } from '../../result-text.js';
import { LeaseLost, Postponed, type StepError, type StepState, type WorkerRun } from '../../worker-run.js';
import { listsIn } from '../outline.js';
import type { ForeachStep, ParallelStep, SwitchStep, WorkflowStep } from '../workflow.js';
import { runTogether } from './run-together.js';
import type { StepOutcome, StepScope } from './step-scope.js';
import { TriedSteps, type WorkflowRunOptions } from './tried-steps.js';
import { WaitingSteps } from './waiting-steps.js';

/** Items that one `foreach` may go through. */
const ITEMS_MAX = 1_000;

/** Outputs that an execution holds in memory, in bytes; each is bounded by itself besides. */
const OUTPUT_BYTES_MAX = 33_554_432;

const NULL = asJsonText('null');

/**
 * One attempt at a workflow. Each step is looked up in the log first: one that is finished, was skipped or failed for
 * good is taken as it is, and what others rest on (the case of a switch, the items of a foreach, the tries, the end of a
 * wait) is noted before anything is done with it.
 */
export class WorkflowRun {
  readonly #run: WorkerRun;
  readonly #tried: TriedSteps;
  readonly #waiting: WaitingSteps;
  #outputBytes = 0;

  constructor(run: WorkerRun, options: WorkflowRunOptions) {
    this.#run = run;
    this.#tried = new TriedSteps(run, options);
    this.#waiting = new WaitingSteps(run, options.clock);
  }

  /**
   * Does steps one after another.
   *
   * @param prefix the path of what they lie in, with `/` behind it; empty at the top.
   * @returns what the last one came to, and what the templates behind the list see.
   */
  async list(
    steps: readonly WorkflowStep[],
    prefix: string,
    start: StepScope,
    signal: AbortSignal,
  ): Promise<{ readonly last: JsonText; readonly scope: StepScope }> {
    let scope = start;
    let last = NULL;
    for (const step of steps) {
      const outcome = await this.#step(step, `${prefix}${step.id}`, scope, signal);
      last = outcome.output;
      scope = scope.with({ [step.id]: outcome, ...this.#visibleInside(step, `${prefix}${step.id}`) });
    }
    return { last, scope };
  }

  async #step(step: WorkflowStep, path: string, scope: StepScope, signal: AbortSignal): Promise<StepOutcome> {
    signal.throwIfAborted();
    const { steps: log } = this.#run;
    const settled = this.#settled(step, path);
    if (settled !== undefined) {
      await this.#recall(step, path);
      return this.#held(step, settled);
    }
    const state: StepState = { kind: step.kind };
    try {
      if (log.noted(path) === undefined && step.if?.holds(scope.values) === false) {
        await log.note(path, { status: 'SKIPPED', state });
        return { output: NULL };
      }
      const output = await this.#act(step, path, scope, signal);
      const { state: noted = state } = log.noted(path) ?? {};
      const outcome = this.#held(step, { output });
      await log.finish(path, { output, state: noted });
      return outcome;
    } catch (thrown) {
      if (thrown instanceof Postponed || thrown instanceof LeaseLost) throw thrown;
      signal.throwIfAborted();
      const error = stepError(path, thrown);
      const { state: noted = state } = log.noted(path) ?? {};
      const failed = log.note(path, { status: 'FAILED', state: noted, error });
      await Promise.all([failed, listsIn(step).length > 0 && log.abandon(path)]);
      return this.#failed(step, { code: error.code, message: error.message, retryable: error.retryable });
    }
  }

  /** What is known of a step that is over. */
  #settled(step: WorkflowStep, path: string): StepOutcome | undefined {
    const { steps: log } = this.#run;
    const finished = log.finished(path);
    if (finished !== undefined) return { output: finished.output };
    const noted = log.noted(path);
    if (noted?.status === 'SKIPPED') return { output: NULL };
    if (noted?.status !== 'FAILED' || noted.error === undefined) return undefined;
    return this.#failed(step, noted.error);
  }

  /** @throws AppError when the workflow is to fail with the step. */
  #failed(step: WorkflowStep, error: StepError): StepOutcome {
    if (step.onError === 'continue') return { output: NULL, error };
    throw new FailedStep(error);
  }

  /** The tokens that workers report themselves count in every attempt, those of steps that are over, too. */
  async #recall(step: WorkflowStep, path: string): Promise<void> {
    if (step.kind === 'worker') await this.#tried.recall(step, path);
    const items = step.kind === 'foreach' ? (JSON.parse(this.#run.steps.noted(path)?.input ?? '[]') as unknown[]) : [];
    const lists = step.kind === 'foreach' ? items.map(() => step.do) : listsIn(step);
    for (const [index, list] of lists.entries()) {
      for (const one of list) await this.#recall(one, `${path}/${index}/${one.id}`);
    }
  }

  /** What steps inside of others gave is in what those give: it is counted once. */
  #held(step: WorkflowStep, outcome: StepOutcome): StepOutcome {
    if (listsIn(step).length === 0) this.#outputBytes += Buffer.byteLength(outcome.output);
    if (this.#outputBytes <= OUTPUT_BYTES_MAX) return outcome;
    const message = `The steps of an execution give at most ${OUTPUT_BYTES_MAX} bytes in all.`;
    throw new AppError('WORKFLOW_TOO_LARGE', message);
  }

  async #act(step: WorkflowStep, path: string, scope: StepScope, signal: AbortSignal): Promise<JsonText> {
    switch (step.kind) {
      case 'worker':
      case 'http':
        return await this.#tried.do(step, path, scope, signal);
      case 'approval':
        return await this.#waiting.approval(step, path, scope);
      case 'wait':
        return await this.#waiting.wait(step, path, scope);
      case 'set':
        return toResultText(step.values.evaluate(scope.values));
      case 'foreach':
        return await this.#foreach(step, path, scope, signal);
      case 'parallel':
        return await this.#parallel(step, path, scope, signal);
      case 'switch':
        return await this.#switch(step, path, scope, signal);
    }
  }

  async #foreach(step: ForeachStep, path: string, scope: StepScope, signal: AbortSignal): Promise<JsonText> {
    const { steps: log } = this.#run;
    const noted = log.noted(path);
    const input = noted?.input ?? toResultText(step.items.evaluate(scope.values));
    const items: unknown = JSON.parse(input);
    if (!Array.isArray(items))
      throw new AppError('TEMPLATE_FAILED', 'A foreach goes through an array, which this is not.');
    if (items.length > ITEMS_MAX) {
      throw new AppError('WORKFLOW_TOO_LARGE', `A foreach goes through at most ${ITEMS_MAX} items.`);
    }
    if (noted === undefined) await log.note(path, { status: 'RUNNING', state: { kind: step.kind }, input });
    const results = await runTogether(items.length, step.concurrency, signal, async (index, own) => {
      const inside = scope.withItem(items[index], index);
      return (await this.list(step.do, `${path}/${index}/`, inside, own)).last;
    });
    return asArray(results);
  }

  async #parallel(step: ParallelStep, path: string, scope: StepScope, signal: AbortSignal): Promise<JsonText> {
    const { steps: log } = this.#run;
    const { branches } = step;
    if (log.noted(path) === undefined) await log.note(path, { status: 'RUNNING', state: { kind: step.kind } });
    const results = await runTogether(branches.length, branches.length, signal, async (index, own) => {
      return (await this.list(branches[index]!, `${path}/${index}/`, scope, own)).last;
    });
    return asArray(results);
  }

  async #switch(step: SwitchStep, path: string, scope: StepScope, signal: AbortSignal): Promise<JsonText> {
    const { steps: log } = this.#run;
    const noted = log.noted(path)?.state.case;
    const index = noted ?? step.cases.findIndex((one) => one.if?.holds(scope.values) ?? true);
    if (noted === undefined) await log.note(path, { status: 'RUNNING', state: { kind: step.kind, case: index } });
    const taken = step.cases[index];
    return taken === undefined ? NULL : (await this.list(taken.do, `${path}/${index}/`, scope, signal)).last;
  }

  /** The steps inside of a step that those behind it can name; what was not done has the result null. */
  #visibleInside(step: WorkflowStep, path: string): Record<string, StepOutcome> {
    if (step.kind === 'foreach') return {};
    const inside: Record<string, StepOutcome> = {};
    for (const [index, list] of listsIn(step).entries()) {
      for (const one of list) {
        const at = `${path}/${index}/${one.id}`;
        Object.assign(inside, { [one.id]: this.#outcomeOf(at) }, this.#visibleInside(one, at));
      }
    }
    return inside;
  }

  #outcomeOf(path: string): StepOutcome {
    const { steps: log } = this.#run;
    const error = log.noted(path)?.error;
    return { output: log.finished(path)?.output ?? NULL, ...(error !== undefined && { error }) };
  }
}

/** A step has failed for good, and its workflow with it. Whether it might pass counts only for who calls the workflow. */
export class FailedStep extends AppError {
  constructor({ code, message, retryable }: StepError) {
    super(code as AppError['code'], message, { retryable });
  }
}

/** An error with the step that it comes from; the innermost one is named. */
function stepError(path: string, thrown: unknown): AppError {
  if (thrown instanceof FailedStep) return thrown;
  const code = thrown instanceof AppError ? thrown.code : 'WORKER_FAILED';
  const retryable = !(thrown instanceof AppError) || thrown.retryable;
  return new AppError(code, `In step "${path}": ${messageOf(thrown)}`, { cause: thrown, retryable });
}

function asArray(results: readonly JsonText[]): JsonText {
  return asJsonText(`[${results.join(',')}]`);
}
