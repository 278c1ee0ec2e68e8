import { AppError } from '../../../errors.js';
import type { LoadedWorker, WorkerKindRunner, WorkerOutput, WorkerRun } from '../../worker-run.js';
import type { ModuleDescription } from '../import-modules.js';
import type { IsolatePool } from './isolate-pool.js';

/**
 * Runs CODE workers in processes of their own, so that a module that loops, floods memory, exits or throws where nobody
 * catches ends its own attempt and nothing else.
 *
 * The module that was loaded at start runs, also for an execution that pinned an older version: its source is gone.
 */
export class IsolatedCodeRunner implements WorkerKindRunner {
  readonly kind = 'CODE';

  /** @param modules by worker id. */
  constructor(
    private readonly modules: ReadonlyMap<string, ModuleDescription>,
    private readonly pool: IsolatePool,
  ) {}

  async run(worker: LoadedWorker, run: WorkerRun): Promise<WorkerOutput> {
    const module = this.modules.get(worker.id);
    if (module === undefined) throw new AppError('WORKER_NOT_LOADED');
    return { result: await this.pool.run(module.file, run, worker.timeoutMs) };
  }
}
