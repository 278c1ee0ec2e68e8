import { AppError, Postponed } from '../../errors.js';
import type { JsonText } from '../../lib/json-text.js';
import { toResultText } from '../result-text.js';
import { LeaseLost, type WorkerRun } from '../worker-run.js';
import { type CodeWorkerRun, isPermanent, type WorkerLog } from './define-worker.js';
import type { CodeModule } from './import-modules.js';
import { describeIssues, isZodSchema } from './worker-schema.js';

const ERROR_CHARACTERS_MAX = 2_000;

/** What a module's run rests on: the attempt itself, or the way to it from another process. */
export interface RunHost {
  readonly log: WorkerLog;
  readonly emitText: (delta: string) => void;
  /** The output of a step that is finished. */
  finished(path: string): Promise<JsonText | undefined>;
  start(path: string): Promise<void>;
  finish(path: string, output: JsonText): Promise<void>;
  fail(path: string, error: unknown): Promise<void>;
  /** @returns the result as JSON. */
  callWorker(call: { readonly workerId: string; readonly input: JsonText; readonly path: string }): Promise<JsonText>;
}

/** What a module's run is told. */
export type ModuleRun = Pick<WorkerRun, 'inputParams' | 'signal' | 'executionId' | 'callId' | 'webhookId' | 'attempt'>;

/**
 * Runs a module once.
 *
 * @throws AppError WORKER_INPUT_REFUSED, WORKER_OUTPUT_INVALID, WORKER_FAILED; the signal's reason when it aborted; what
 *   the host threw, unless the module made something else of it.
 */
export async function runModule(module: CodeModule, run: ModuleRun, host: RunHost): Promise<JsonText> {
  const inputParams = await parseInput(module, run.inputParams);
  const { executionId, callId, webhookId, attempt, signal } = run;
  const { log, emitText } = host;
  let returned: unknown;
  try {
    returned = await module.worker.run({
      inputParams,
      signal,
      log,
      step: stepOf(host),
      callWorker: async (path, workerId, input) => {
        const id = workerId.startsWith('worker-') ? workerId : `worker-${workerId}`;
        return JSON.parse(await host.callWorker({ workerId: id, input: toResultText(input), path })) as unknown;
      },
      emitText,
      executionId,
      callId,
      webhookId,
      attempt,
    });
  } catch (error) {
    // Its own time-out or cancellation comes back as whatever the module's fetch or timer made of it.
    signal.throwIfAborted();
    throw failure(error);
  }
  return toResultText(await checkOutput(module, returned));
}

function stepOf(host: RunHost): CodeWorkerRun<unknown>['step'] {
  return async <Result>(path: string, work: () => Result | Promise<Result>): Promise<Result> => {
    const earlier = await host.finished(path);
    if (earlier !== undefined) return JSON.parse(earlier) as Result;
    await host.start(path);
    let output: JsonText;
    try {
      output = toResultText(await work());
      await host.finish(path, output);
    } catch (error) {
      await host.fail(path, error);
      throw error;
    }
    return JSON.parse(output) as Result; // as a later attempt will get it
  };
}

async function parseInput({ worker }: CodeModule, inputParams: unknown): Promise<unknown> {
  if (worker.input === undefined || !isZodSchema(worker.input)) return inputParams;
  const parsed = await worker.input.safeParseAsync(inputParams);
  if (parsed.success) return parsed.data;
  throw new AppError(
    'WORKER_INPUT_REFUSED',
    `The input does not fit the worker's schema: ${describeIssues(parsed.error)}`,
  );
}

async function checkOutput({ worker, validateOutput }: CodeModule, returned: unknown): Promise<unknown> {
  if (worker.output !== undefined && isZodSchema(worker.output)) {
    const parsed = await worker.output.safeParseAsync(returned);
    if (parsed.success) return parsed.data;
    throw outputInvalid(describeIssues(parsed.error));
  }
  const faults = validateOutput?.(returned) ?? [];
  if (faults.length > 0)
    throw outputInvalid(faults.map(({ pointer, message }) => `${pointer || '/'}: ${message}`).join('; '));
  return returned;
}

function outputInvalid(reason: string): AppError {
  return new AppError('WORKER_OUTPUT_INVALID', `The worker's result does not fit its own schema: ${reason}`);
}

/** The message is the module author's and shown; the rest of the error stays for the log. */
function failure(error: unknown): Error {
  if (error instanceof AppError || error instanceof Postponed || error instanceof LeaseLost) return error;
  return new AppError('WORKER_FAILED', thrownMessage(error), {
    retryable: !isPermanent(error),
    cause: error,
  });
}

/** Anything can be thrown, also what throws when it is read. */
export function thrownMessage(error: unknown): string | undefined {
  try {
    const text = error instanceof Error ? error.message : String(error);
    return text === '' ? undefined : text.slice(0, ERROR_CHARACTERS_MAX);
  } catch {
    return undefined;
  }
}
