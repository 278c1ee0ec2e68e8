import { AppError } from '../../errors.js';
import { toResultText } from '../result-text.js';
import type { LoadedWorker, WorkerKindRunner, WorkerOutput, WorkerRun } from '../worker-run.js';
import { isPermanent } from './define-worker.js';
import type { CodeModule } from './import-modules.js';
import { describeIssues, isZodSchema } from './worker-schema.js';

const ERROR_CHARACTERS_MAX = 2_000;

/**
 * Runs CODE workers inside this process. That isolates nothing: a module sees the process's memory and environment,
 * an endless loop stops the event loop (no timeout can end it), and an error that it throws outside of its promise
 * ends the process. Modules are the operator's own code and trusted as such.
 *
 * The module that was loaded at start runs, also for an execution that pinned an older version: its source is gone.
 */
export class CodeWorkerRunner implements WorkerKindRunner {
  readonly kind = 'CODE';

  /** @param modules by worker id, as `loadCodeWorkers` gives them. */
  constructor(private readonly modules: ReadonlyMap<string, CodeModule>) {}

  async run(worker: LoadedWorker, run: WorkerRun): Promise<WorkerOutput> {
    const module = this.modules.get(worker.id);
    if (module === undefined) throw new AppError('WORKER_NOT_LOADED');
    const inputParams = await parseInput(module, run.inputParams);
    const { executionId, callId, webhookId, attempt, signal, log } = run;
    let returned: unknown;
    try {
      returned = await module.worker.run({
        inputParams,
        signal,
        log,
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
    return { result: toResultText(await checkOutput(module, returned)) };
  }
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
function failure(error: unknown): AppError {
  return new AppError('WORKER_FAILED', thrownMessage(error), {
    retryable: !isPermanent(error),
    cause: error,
  });
}

/** Anything can be thrown, also what throws when it is read. */
function thrownMessage(error: unknown): string | undefined {
  try {
    const text = error instanceof Error ? error.message : String(error);
    return text === '' ? undefined : text.slice(0, ERROR_CHARACTERS_MAX);
  } catch {
    return undefined;
  }
}
