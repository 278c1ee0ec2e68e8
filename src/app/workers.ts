import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { AgentWorkerRunner } from '../workers/agent/agent-runner.js';
import { CodeWorkerRunner } from '../workers/code/code-runner.js';
import { describeModules } from '../workers/code/isolate/describe-modules.js';
import { IsolatePool } from '../workers/code/isolate/isolate-pool.js';
import { IsolatedCodeRunner } from '../workers/code/isolate/isolated-code-runner.js';
import { loadCodeWorkers, storeCodeWorkers } from '../workers/code/load-code-workers.js';
import { HttpWorkerRunner } from '../workers/http/http-runner.js';
import { readWorkersById, type WorkerView } from '../workers/read-workers.js';
import { WorkerRegistry } from '../workers/registry.js';
import { WorkflowRunner } from '../workers/workflow/run/workflow-runner.js';
import type { WorkerKindRunner } from '../workers/worker-run.js';
import type { Parts } from './parts.js';

const ISOLATE = fileURLToPath(new URL('../workers/code/isolate/main.js', import.meta.url));

/** Processes that CODE workers share, in a process of ours. */
const ISOLATES_MAX = 4;

/** Loads the operator's CODE workers and puts the registry of all workers together. */
export async function buildWorkers(
  stack: AsyncDisposableStack,
  base: Omit<Parts, 'registry'>,
): Promise<WorkerRegistry> {
  const { clock, database, hub, listener, keyring, outbound, connections, models, mcp } = base;
  const readWorkers = (ids: readonly string[]): Promise<readonly WorkerView[]> => readWorkersById(database.pool, ids);
  const registry = new WorkerRegistry({
    database,
    hub,
    runners: [
      await codeRunner(stack, base),
      new HttpWorkerRunner({ outbound, connections, keyring, clock }),
      new AgentWorkerRunner({ models, mcp, connections, readWorkers }),
      new WorkflowRunner({ connections, clock }),
    ],
    listening: () => listener.listening,
    clock,
  });
  return stack.adopt(registry, (it) => it.close());
}

/** Loads the operator's CODE workers, by default without running a line of them in this process. */
async function codeRunner(
  stack: AsyncDisposableStack,
  { config, log, database }: Omit<Parts, 'registry'>,
): Promise<WorkerKindRunner> {
  const dir = config.workersDir;
  if (config.workersIsolation === 'none') {
    return new CodeWorkerRunner((await loadCodeWorkers({ dir, database, log })).modules);
  }
  const isolates = { dir, entry: ISOLATE, env: config.workersEnvironment, memoryMb: config.workersMemoryMb, log };
  const { sources, ...described } = await describeModules(isolates);
  const { modules } = await storeCodeWorkers({ dir, database, log }, described);
  const size = Math.min(ISOLATES_MAX, Math.max(2, availableParallelism()));
  const pool = stack.adopt(new IsolatePool({ ...isolates, sources, size }), (it) => it.close());
  if (config.roles.has('runner')) pool.warm();
  return new IsolatedCodeRunner(modules, pool);
}
