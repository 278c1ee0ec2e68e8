/**
 * What an operator's module imports as `workhook/worker`:
 *
 * ```ts
 * import { defineWorker } from 'workhook/worker';
 * import { z } from 'zod';
 *
 * export default defineWorker({
 *   id: 'greeter',
 *   name: 'Greeter',
 *   input: z.object({ name: z.string() }),
 *   run: ({ inputParams }) => ({ greeting: `Hello ${inputParams.name}` }),
 * });
 * ```
 */
import { z } from 'zod';
import { isWorkerId } from '../../lib/ids.js';

/** A JSON Schema (2020-12) as an object literal. */
export interface JsonSchemaObject {
  readonly [keyword: string]: unknown;
}

/** What `input` and `output` may be: a zod 4 schema or a JSON Schema. */
export type WorkerSchema = z.ZodType | JsonSchemaObject;

/** What `inputParams` is: a zod schema's output; with a JSON Schema or none, whatever JSON came. */
export type InputParams<Schema> = Schema extends z.ZodType ? z.output<Schema> : unknown;

/** Writes to the gateway's log. Don't log payloads. */
export interface WorkerLog {
  debug(fields: object, message?: string): void;
  info(fields: object, message?: string): void;
  warn(fields: object, message?: string): void;
  error(fields: object, message?: string): void;
}

/** What `run` gets for one attempt. */
export interface CodeWorkerRun<Params> {
  /** The POST body, checked against `input`. */
  readonly inputParams: Params;
  /** Aborts at the timeout, when the execution is canceled and when the runner stops. Hand it to whatever waits. */
  readonly signal: AbortSignal;
  readonly log: WorkerLog;
  /**
   * Does something once: what it gives is stored, and a later attempt gets it from there without doing it again. A
   * throw fails the step, and it may be done again. Only a step that a crash cut off between its work and its commit
   * is done twice.
   *
   * @param name names the step among those of this worker; use each name for one thing only.
   * @param work gives anything that JSON can say, 1 MiB at most. What comes back is what JSON made of it.
   */
  readonly step: <Result>(name: string, work: () => Result | Promise<Result>) => Promise<Result>;
  /**
   * Runs another worker of any kind inside this execution, as a step of this name.
   *
   * @param workerId with or without the `worker-` prefix.
   * @param input anything that JSON can say; it is checked against that worker's schema.
   * @returns its result.
   * @throws an error with the `code` and the message of what ended it.
   */
  readonly callWorker: (name: string, workerId: string, input: unknown) => Promise<unknown>;
  /** Streams a piece of text to whoever watches the execution. The result should be what all pieces make together. */
  readonly emitText: (delta: string) => void;
  /** `exec-…`: the same for every attempt, so good as an idempotency key. */
  readonly executionId: string;
  /** `call-…` */
  readonly callId: string;
  /** `wh_…` */
  readonly webhookId: string;
  /** From 1. An attempt repeats what the one before it did outside of steps. */
  readonly attempt: number;
}

export interface CodeWorkerSettings<Schema extends WorkerSchema | undefined> {
  /** A slug, `a-z 0-9 -`, 63 characters at most; `worker-` is put before it when it is missing. */
  readonly id: string;
  readonly name: string;
  readonly description?: string;
  /** A body that does not fit is refused with 400 before any execution exists. */
  readonly input?: Schema;
  /** A result that does not fit fails the execution with WORKER_OUTPUT_INVALID. */
  readonly output?: WorkerSchema;
  /** Milliseconds for one attempt, at most an hour; 60,000 by default. */
  readonly timeoutMs?: number;
  /** Attempts in all, 1 to 100; 3 by default. */
  readonly attemptsMax?: number;
  /**
   * Does the work. What it returns is the result: anything that JSON can say, 1 MiB at most; `undefined` is `null`.
   * A throw fails the attempt, and another follows while there are some left; {@link PermanentError} ends it at once.
   * The error's message is shown to callers, its stack is not.
   */
  readonly run: (run: CodeWorkerRun<InputParams<Schema>>) => unknown;
}

/** Marks what {@link defineWorker} made, also when the module loaded another copy of this file. */
const BRAND = Symbol.for('workhook.worker');

/** A checked definition: what a module exports as its default. */
export interface CodeWorker {
  readonly [BRAND]: true;
  /** With the `worker-` prefix. */
  readonly id: string;
  readonly name: string;
  readonly description: string | undefined;
  readonly input: WorkerSchema | undefined;
  readonly output: WorkerSchema | undefined;
  readonly timeoutMs: number;
  readonly attemptsMax: number;
  readonly run: (run: CodeWorkerRun<unknown>) => unknown;
}

/** A failure that another attempt would only repeat, such as a customer that does not exist. */
export class PermanentError extends Error {
  override readonly name = 'PermanentError';
}

const functionOf = z.custom<CodeWorker['run']>((value) => typeof value === 'function', 'must be a function');
const schemaOf = z.custom<WorkerSchema>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'must be a zod schema or a JSON Schema object',
);
const noNul = (text: string): boolean => !text.includes('\0');

const SETTINGS = z.strictObject({
  id: z
    .string()
    .transform((id) => (id.startsWith('worker-') ? id : `worker-${id}`))
    .refine(isWorkerId, 'must be a slug of a-z, 0-9 and "-", such as "order-handling"'),
  name: z.string().min(1).max(200).refine(noNul, 'must not contain U+0000'),
  description: z.string().max(2_000).refine(noNul, 'must not contain U+0000').optional(),
  input: schemaOf.optional(),
  output: schemaOf.optional(),
  timeoutMs: z.int().min(1).max(3_600_000).default(60_000),
  attemptsMax: z.int().min(1).max(100).default(3),
  run: functionOf,
});

/**
 * Declares a CODE worker.
 *
 * @throws TypeError that names every wrong setting.
 */
export function defineWorker<Schema extends WorkerSchema | undefined = undefined>(
  settings: CodeWorkerSettings<Schema>,
): CodeWorker {
  const parsed = SETTINGS.safeParse(settings);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'settings'}: ${issue.message}`);
    throw new TypeError(`defineWorker: ${faults.join('; ')}`);
  }
  const { id, name, description, input, output, timeoutMs, attemptsMax, run } = parsed.data;
  return { [BRAND]: true, id, name, description, input, output, timeoutMs, attemptsMax, run };
}

/** Whether a module's export is a worker. */
export function isCodeWorker(value: unknown): value is CodeWorker {
  return typeof value === 'object' && value !== null && BRAND in value;
}

/** Whether a worker threw a {@link PermanentError}, of this or another copy of the class. */
export function isPermanent(error: unknown): boolean {
  return error instanceof Error && error.name === 'PermanentError';
}
