import type { WorkerView } from '../../workers/read-workers.js';
import { AgentWorkerObject } from './agent-worker.js';
import { CodeWorkerObject, HttpWorkerObject, type WorkerObject } from './worker.js';
import { WorkflowObject } from './workflow.js';

/** A worker as the type of its kind. */
export function workerObject(view: WorkerView): WorkerObject {
  switch (view.kind) {
    case 'AGENT':
      return new AgentWorkerObject(view);
    case 'HTTP':
      return new HttpWorkerObject(view);
    case 'CODE':
      return new CodeWorkerObject(view);
    case 'WORKFLOW':
      return new WorkflowObject(view);
  }
}
