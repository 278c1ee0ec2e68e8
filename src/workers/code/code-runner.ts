import { AppError, Postponed } from '../../errors.js';
import { asJsonText, toJsonText } from '../../lib/json-text.js';
import {
  LeaseLost,
  type LoadedWorker,
  type WorkerKindRunner,
  type WorkerOutput,
  type WorkerRun,
} from '../worker-run.js';
import type { CodeModule } from './import-modules.js';
import { type RunHost, runModule } from './run-module.js';

/**
 * Runs CODE workers inside this process. That isolates nothing: a module sees the process's memory and environment,
 * an endless loop stops the event loop (no timeout can end it), and an error that it throws outside of its promise
 * ends the process. It is for modules that are trusted as the gateway itself is; see `IsolatedCodeRunner`.
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
    return { result: await runModule(module, run, hostOf(run)) };
  }
}

/** The attempt as what a module's run rests on. */
export function hostOf({ log, emitText, steps, callWorker }: WorkerRun): RunHost {
  return {
    log,
    emitText,
    finished: (path) => Promise.resolve(steps.finished(path)?.output),
    start: (path) => steps.start(path),
    finish: (path, output) => steps.finish(path, { output }),
    fail: async (path, error) => {
      const goesOn = error instanceof Postponed || error instanceof LeaseLost;
      if (!goesOn) await steps.fail(path, error);
    },
    callWorker: async ({ workerId, input, path }) =>
      toJsonText(await callWorker({ workerId, input: JSON.parse(asJsonText(input)) as unknown, path })),
  };
}
