import type { WorkerView } from '../../read-workers.js';
import type { JsonSchema } from '../../worker.entities.js';
import type { WorkerToolDefinition } from '../agent-definition.js';
import type { WorkerRun } from '../../worker-run.js';
import type { Tool } from './tool.js';

/** A worker that runs inside of the execution has its own timeout; this one only ends what does not end by itself. */
const SLACK_MS = 5_000;

/** Model providers take schemas of objects only, so any other input is put into one, under this name. */
const WRAPPED = 'input';

/** A tool that runs another worker inside of the execution, durably. */
export function workerTool(definition: WorkerToolDefinition, worker: WorkerView, run: WorkerRun): Tool {
  const { name, workerId } = definition;
  const { schema, unwrap } = objectSchema(worker.inputSchema);
  return {
    name,
    description: definition.description ?? worker.description ?? worker.name,
    inputSchema: schema,
    timeoutMs: worker.timeoutMs * worker.attemptsMax + SLACK_MS,
    call: async (input, { path }) => {
      const result = await run.callWorker({ workerId, input: unwrap(input), path: `${path}/worker` });
      return { text: typeof result === 'string' ? result : JSON.stringify(result ?? null) };
    },
  };
}

function objectSchema(schema: JsonSchema | null): {
  readonly schema: JsonSchema;
  readonly unwrap: (input: Readonly<Record<string, unknown>>) => unknown;
} {
  if (schema === null || schema === true) return { schema: { type: 'object' }, unwrap: (input) => input };
  if (typeof schema === 'object' && schema['type'] === 'object') return { schema, unwrap: (input) => input };
  return {
    schema: { type: 'object', properties: { [WRAPPED]: schema }, required: [WRAPPED], additionalProperties: false },
    unwrap: (input) => input[WRAPPED],
  };
}
