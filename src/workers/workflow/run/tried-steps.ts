import { setMaxListeners } from 'node:events';
import type { ConnectionClient } from '../../../connections/connection-client.js';
import { AppError } from '../../../errors.js';
import type { Clock } from '../../../lib/clock.js';
import { asJsonText, type JsonText } from '../../../lib/json-text.js';
import { toResultText } from '../../result-text.js';
import { LeaseLost, type NotedStep, Postponed, type WorkerRun } from '../../worker-run.js';
import type { HttpStep, WorkerStep } from '../workflow.js';
import { sendRequest } from './send-request.js';
import type { StepScope } from './step-scope.js';
import { pauseBeforeNextTry } from './step-tries.js';

export interface WorkflowRunOptions {
  readonly connections: Pick<ConnectionClient, 'request'>;
  readonly clock: Clock;
}

type TriedStep = WorkerStep | HttpStep;

/**
 * The steps that can fail and be tried again. A try is noted before it begins, so that none is forgotten; one that a
 * crash cut off goes on as the same try. A pause between two tries is noted, too, and holds nothing.
 */
export class TriedSteps {
  readonly #run: WorkerRun;
  readonly #options: WorkflowRunOptions;

  constructor(run: WorkerRun, options: WorkflowRunOptions) {
    this.#run = run;
    this.#options = options;
  }

  /** @throws what the last try threw; Postponed until the next one, or what the step's worker waits for. */
  async do(step: TriedStep, path: string, scope: StepScope, signal: AbortSignal): Promise<JsonText> {
    const { steps: log } = this.#run;
    const before = log.noted(path);
    this.#waitOver(path, before);
    const goesOn = before?.status === 'RUNNING';
    const tries = (before?.state.tries ?? 0) + (goesOn ? 0 : 1);
    const input = before?.input ?? (step.kind === 'worker' ? inputOf(step, scope) : undefined);
    if (!goesOn) {
      const state = { kind: step.kind, tries };
      await log.note(path, { status: 'RUNNING', state, ...(input !== undefined && { input }) });
    }
    try {
      return await this.#within(step.timeoutMs, signal, (own) =>
        step.kind === 'worker' ? this.#call(step, path, tries, input, own) : this.#send(step, path, scope, own),
      );
    } catch (error) {
      if (error instanceof Postponed || error instanceof LeaseLost) throw error;
      signal.throwIfAborted();
      if (error instanceof StepTimedOut && step.kind === 'worker') await log.fail(callPath(path, tries), error);
      const pauseMs = pauseBeforeNextTry(error, tries, step.retry);
      if (pauseMs === undefined) throw error;
      const wakeAtMs = this.#options.clock.nowMs() + pauseMs;
      await log.note(path, { status: 'WAITING', state: { kind: step.kind, tries, wakeAtMs }, error });
      throw new Postponed(pauseMs, `The step "${path}" is tried again.`);
    }
  }

  /** Asks for the result of a worker that has ended: its own tokens are counted with the call. */
  async recall(step: WorkerStep, path: string): Promise<void> {
    const { steps: log } = this.#run;
    const at = callPath(path, log.noted(path)?.state.tries ?? 0);
    if (log.finished(at) === undefined) return;
    await this.#run.callWorker({ workerId: step.workerId, input: null, path: at });
  }

  async #call(
    { workerId }: WorkerStep,
    path: string,
    tries: number,
    input: JsonText | undefined,
    signal: AbortSignal,
  ): Promise<JsonText> {
    const at = callPath(path, tries);
    const given = input === undefined ? this.#run.inputParams : (JSON.parse(input) as unknown);
    await this.#run.callWorker({ workerId, input: given, path: at, signal });
    return this.#run.steps.finished(at)!.output; // number for number, as the worker gave it
  }

  #send(step: HttpStep, path: string, scope: StepScope, signal: AbortSignal): Promise<JsonText> {
    const { executionId, path: above } = this.#run;
    const whole = above === '' ? path : `${above}/${path}`;
    return sendRequest(step, scope, { ...this.#options, executionId, path: whole, signal });
  }

  /** Ends what runs too long with a WORKER_TIMED_OUT, which may pass. */
  async #within<T>(
    timeoutMs: number | undefined,
    outer: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    if (timeoutMs === undefined) return await work(outer);
    const controller = new AbortController();
    setMaxListeners(0, controller.signal);
    const onAbort = (): void => controller.abort(outer.reason);
    outer.addEventListener('abort', onAbort);
    const timedOut = new StepTimedOut(timeoutMs);
    const timer = setTimeout(() => controller.abort(timedOut), timeoutMs);
    try {
      return await work(controller.signal);
    } catch (error) {
      if (controller.signal.reason === timedOut && !outer.aborted) throw timedOut;
      throw error;
    } finally {
      clearTimeout(timer);
      outer.removeEventListener('abort', onAbort);
    }
  }

  #waitOver(path: string, before: NotedStep | undefined): void {
    if (before?.status !== 'WAITING') return;
    const leftMs = (before.state.wakeAtMs ?? 0) - this.#options.clock.nowMs();
    if (leftMs > 0) throw new Postponed(leftMs, `The step "${path}" is tried again.`);
  }
}

class StepTimedOut extends AppError {
  constructor(timeoutMs: number) {
    super('WORKER_TIMED_OUT', `It did not finish within ${timeoutMs} ms.`, { retryable: true });
  }
}

/** Each try has a worker of its own: what a failed one has done is not taken for this one's. */
function callPath(path: string, tries: number): string {
  return `${path}/${tries}`;
}

/** Without a template the worker gets what the workflow got, which is stored already. */
function inputOf(step: WorkerStep, scope: StepScope): JsonText | undefined {
  return step.with === undefined ? undefined : asJsonText(toResultText(step.with.evaluate(scope.values)));
}
