import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { CodeWorkerRunner } from '../../../src/workers/code/code-runner.js';
import {
  type CodeWorkerRun,
  defineWorker,
  PermanentError,
  type WorkerSchema,
} from '../../../src/workers/code/define-worker.js';
import type { CodeModule } from '../../../src/workers/code/import-modules.js';
import { compileSchema } from '../../../src/workers/schema-validator.js';
import type { LoadedWorker, WorkerOutput } from '../../../src/workers/worker-run.js';
import { workerRun } from '../../support/worker-run.js';

interface Given {
  readonly run: (run: CodeWorkerRun<unknown>) => unknown;
  readonly input?: WorkerSchema;
  readonly output?: WorkerSchema;
  readonly inputParams?: unknown;
  readonly signal?: AbortSignal;
}

async function attempt(given: Given): Promise<WorkerOutput> {
  const worker = defineWorker({
    id: 'tried',
    name: 'Tried',
    run: given.run,
    ...(given.input !== undefined && { input: given.input }),
    ...(given.output !== undefined && { output: given.output }),
  });
  const jsonOutput = given.output !== undefined && !('_zod' in given.output) ? given.output : undefined;
  const module: CodeModule = {
    file: 'tried.ts',
    worker,
    inputSchema: null,
    outputSchema: null,
    validateOutput: jsonOutput === undefined ? undefined : compileSchema(jsonOutput, { trusted: true }),
    sourceHash: '',
  };
  const loaded: LoadedWorker = {
    id: 'worker-tried',
    kind: 'CODE',
    name: 'Tried',
    version: 1,
    definition: {},
    inputSchema: null,
    outputSchema: null,
    timeoutMs: 1_000,
    attemptsMax: 3,
  };
  return new CodeWorkerRunner(new Map([[worker.id, module]])).run(
    loaded,
    workerRun(given.inputParams ?? {}, { attempt: 2, ...(given.signal && { signal: given.signal }) }),
  );
}

describe('CodeWorkerRunner', () => {
  it('gives the module its run and prints what it returns', async () => {
    const output = await attempt({
      inputParams: { a: 1 },
      run: async ({ inputParams, executionId, callId, webhookId, attempt: nth }) => ({
        inputParams,
        executionId,
        callId,
        webhookId,
        nth,
      }),
    });
    expect(JSON.parse(output.result)).toEqual({
      inputParams: { a: 1 },
      executionId: 'exec-1',
      callId: 'call-1',
      webhookId: 'wh_1',
      nth: 2,
    });
  });

  it('is null when nothing is returned', async () => {
    expect((await attempt({ run: () => undefined })).result).toBe('null');
  });

  it('hands over what zod made of the input', async () => {
    const input = z.object({
      at: z.iso.datetime().transform((text) => new Date(text)),
      n: z.number().default(7),
    });
    const output = await attempt({
      input,
      inputParams: { at: '2026-01-01T00:00:00Z' },
      run: ({ inputParams }) => {
        const { at, n } = inputParams as z.output<typeof input>;
        return [at.getUTCFullYear(), n];
      },
    });
    expect(output.result).toBe('[2026,7]');
  });

  it('refuses what only zod can tell, without quoting it and without another attempt', async () => {
    const input = z.object({ card: z.string().refine((text) => text.length > 20, 'must be longer') });
    const refused = attempt({ input, inputParams: { card: 'hunter2' }, run: () => 'never' });
    await expect(refused).rejects.toMatchObject({ code: 'WORKER_INPUT_REFUSED', retryable: false });
    await expect(refused).rejects.toThrow('/card: must be longer');
    await expect(refused).rejects.not.toThrow('hunter2');
  });

  it.each<[string, unknown, boolean, string]>([
    ['an error', new Error('the ERP is closed'), true, 'the ERP is closed'],
    ['a permanent error', new PermanentError('no such customer'), false, 'no such customer'],
    ['a text', 'just text', true, 'just text'],
    ['an error without a message', new Error(''), true, 'The worker threw an error.'],
    ['what cannot even be read', Object.create(null), true, 'The worker threw an error.'],
    ['a novel', new Error('x'.repeat(10_000)), true, 'x'.repeat(2_000)],
  ])('fails with the message of %s', async (_what, thrown, retryable, message) => {
    const throwing = (): never => {
      throw thrown;
    };
    const rejecting = async (): Promise<never> => throwing();
    await expect(attempt({ run: throwing })).rejects.toMatchObject({
      code: 'WORKER_FAILED',
      retryable,
      message,
    });
    await expect(attempt({ run: rejecting })).rejects.toMatchObject({
      code: 'WORKER_FAILED',
      retryable,
      message,
    });
  });

  it('ends with the reason of its signal, whatever the module made of it', async () => {
    const abort = new AbortController();
    const failing = attempt({
      signal: abort.signal,
      run: async ({ signal }) => {
        abort.abort(new Error('its time is over'));
        signal.throwIfAborted();
      },
    });
    await expect(failing).rejects.toThrow('its time is over');
  });

  it.each<[string, WorkerSchema]>([
    ['zod', z.object({ total: z.number() })],
    ['JSON Schema', { type: 'object', required: ['total'], properties: { total: { type: 'number' } } }],
  ])('checks the result against an output in %s', async (_what, output) => {
    expect((await attempt({ output, run: () => ({ total: 1 }) })).result).toBe('{"total":1}');
    await expect(attempt({ output, run: () => ({ total: 'one' }) })).rejects.toMatchObject({
      code: 'WORKER_OUTPUT_INVALID',
      retryable: false,
      message: expect.stringContaining('/total'),
    });
  });

  it('refuses a result that is not JSON', async () => {
    await expect(attempt({ run: () => 1n })).rejects.toMatchObject({
      code: 'WORKER_OUTPUT_INVALID',
      retryable: false,
    });
  });

  it('says when the module is not there', async () => {
    const runner = new CodeWorkerRunner(new Map());
    const worker = {
      id: 'worker-gone',
      kind: 'CODE',
      name: '',
      version: 1,
      definition: {},
      inputSchema: null,
      outputSchema: null,
      timeoutMs: 1,
      attemptsMax: 1,
    } as const;
    await expect(runner.run(worker, undefined as never)).rejects.toMatchObject({
      code: 'WORKER_NOT_LOADED',
      retryable: false,
    });
  });
});
