import { z } from 'zod';
import { createLogger } from '../../../src/lib/logger.js';
import { asJsonText } from '../../../src/lib/json-text.js';
import { CodeWorkerRunner } from '../../../src/workers/code/code-runner.js';
import type { CodeWorker } from '../../../src/workers/code/define-worker.js';
import { toJsonSchema } from '../../../src/workers/code/worker-schema.js';
import { compileSchema, type SchemaFault } from '../../../src/workers/schema-validator.js';

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
      timeoutMs: 1,
      attemptsMax: 1,
    },
    {
      executionId: 'exec-1',
      callId: 'call-1',
      webhookId: 'wh_1',
      attempt: 1,
      inputParams,
      inputText: asJsonText(JSON.stringify(inputParams)),
      signal: new AbortController().signal,
      log: createLogger('silent'),
    },
  );
  return JSON.parse(result);
}

/** What the ingress would find wrong with a body: where, in order. */
export function faultsAtIngress(worker: CodeWorker, body: unknown): readonly string[] {
  const validate = compileSchema(toJsonSchema(worker.input ?? z.any(), 'input'), { trusted: true });
  return validate(body).map((fault: SchemaFault) => fault.pointer);
}
