import type { JsonText } from '../lib/json-text.js';
import type { Logger } from '../lib/logger.js';
import type { JsonSchema, WorkerKind } from './worker.entities.js';

export { Postponed } from '../errors.js';

/** A worker at one version, ready to run. */
export interface LoadedWorker {
  readonly id: string;
  readonly kind: WorkerKind;
  readonly name: string;
  readonly version: number;
  /** The kind's own settings. */
  readonly definition: Readonly<Record<string, unknown>>;
  readonly inputSchema: JsonSchema | null;
  /** One attempt is aborted after this many milliseconds. */
  readonly timeoutMs: number;
  /** Attempts in all, the first one included. */
  readonly attemptsMax: number;
}

/** What a worker gets for one attempt. Ids are in their public form. */
export interface WorkerRun {
  readonly executionId: string;
  readonly callId: string;
  readonly webhookId: string;
  /** From 1. */
  readonly attempt: number;
  /** The POST body, parsed. */
  readonly inputParams: unknown;
  /** The POST body as it came. */
  readonly inputText: JsonText;
  /** Aborts at the timeout, when the execution is canceled, and when the runner loses its lease. */
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/** What an attempt that succeeded gave. */
export interface WorkerOutput {
  /** The result as JSON text, at most as large as the registry allows. */
  readonly result: JsonText;
  /** Tokens that the worker knows of and the model desk doesn't: what goes through the desk is counted there. */
  readonly promptTokens?: number;
  readonly completionTokens?: number;
}

/** One place where an input does not fit a schema. */
export interface InputFault {
  readonly workerId: string;
  /** JSON pointer (RFC 6901) into the body; empty for the whole of it. */
  readonly pointer: string;
  readonly message: string;
}

/** Runs the workers of one kind. A throw is a failed attempt; an AppError says by `retryable` whether to try again. */
export interface WorkerKindRunner {
  readonly kind: WorkerKind;
  run(worker: LoadedWorker, run: WorkerRun): Promise<WorkerOutput>;
}
