import { AgentWorkerRunner } from '../workers/agent/agent-runner.js';
import { CodeWorkerRunner } from '../workers/code/code-runner.js';
import { loadCodeWorkers } from '../workers/code/load-code-workers.js';
import { HttpWorkerRunner } from '../workers/http/http-runner.js';
import { readWorkersById, type WorkerView } from '../workers/read-workers.js';
import { WorkerRegistry } from '../workers/registry.js';
import type { Parts } from './parts.js';

/** Loads the operator's CODE workers and puts the registry of all workers together. */
export async function buildWorkers(
  stack: AsyncDisposableStack,
  base: Omit<Parts, 'registry'>,
): Promise<WorkerRegistry> {
  const { config, log, clock, database, hub, listener, keyring, outbound, connections, models, mcp } = base;
  const readWorkers = (ids: readonly string[]): Promise<readonly WorkerView[]> => readWorkersById(database.pool, ids);
  const { modules } = await loadCodeWorkers({ dir: config.workersDir, database, log });
  const registry = new WorkerRegistry({
    database,
    hub,
    runners: [
      new CodeWorkerRunner(modules),
      new HttpWorkerRunner({ outbound, connections, keyring, clock }),
      new AgentWorkerRunner({ models, mcp, connections, readWorkers }),
    ],
    listening: () => listener.listening,
  });
  return stack.adopt(registry, (it) => it.close());
}
