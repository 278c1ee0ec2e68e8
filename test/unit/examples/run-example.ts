import { z } from 'zod';
import { CodeWorkerRunner } from '../../../src/workers/code/code-runner.js';
import type { CodeWorker } from '../../../src/workers/code/define-worker.js';
import { toJsonSchema } from '../../../src/workers/code/worker-schema.js';
import { compileSchema, type SchemaFault } from '../../../src/workers/schema-validator.js';
import { workerRun } from '../../support/worker-run.js';

/** Runs an example as the runner does, and gives its result as a reader sees it. */
export async function runExample(worker: CodeWorker, inputParams: unknown): Promise<unknown> {
  const module = {
    file: '',
    worker,
    inputSchema: null,
    outputSchema: null,
    validateOutput: undefined,
    sourceHash: '',
  };
  const { result } = await new CodeWorkerRunner(new Map([[worker.id, module]])).run(
    {
      id: worker.id,
      kind: 'CODE',
      name: worker.name,
      version: 1,
      definition: {},
      inputSchema: null,
      outputSchema: null,
      timeoutMs: 1,
      attemptsMax: 1,
    },
    workerRun(inputParams),
  );
  return JSON.parse(result);
}

/** What the ingress would find wrong with a body: where, in order. */
export function faultsAtIngress(worker: CodeWorker, body: unknown): readonly string[] {
  const validate = compileSchema(toJsonSchema(worker.input ?? z.any(), 'input'), { trusted: true });
  return validate(body).map((fault: SchemaFault) => fault.pointer);
}
