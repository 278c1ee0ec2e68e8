import type { JsonText } from '../lib/json-text.js';
import type { Logger } from '../lib/logger.js';
import type { SchemaFault } from './schema-validator.js';
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
  readonly outputSchema: JsonSchema | null;
  /** One attempt is aborted after this many milliseconds. */
  readonly timeoutMs: number;
  /** Attempts in all, the first one included. */
  readonly attemptsMax: number;
}

/** What a worker gets for one attempt. Ids are in their public form. */
export interface WorkerRun {
  readonly executionId: string;
  /** The step of the execution that this is; empty for the execution's own worker. */
  readonly path: string;
  readonly callId: string;
  readonly webhookId: string;
  /** From 1. */
  readonly attempt: number;
  /** The POST body, parsed; of a worker that another one calls, what that one gave it. */
  readonly inputParams: unknown;
  /** The POST body as it came. */
  readonly inputText: JsonText;
  /** Aborts at the timeout, when the execution is canceled, and when the runner loses its lease. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** The durable steps of this worker in this execution; those of a worker that another one calls are its own. */
  readonly steps: StepLog;
  /**
   * Streams a piece of the text that this worker writes; empty pieces are nothing. It never waits. The text belongs to
   * the step that is open the longest; text outside of a step, and of a step that did not finish, is taken back when
   * the execution is resumed, and a step's text when the step is started again.
   */
  readonly emitText: (delta: string) => void;
  /**
   * Runs another worker inside this execution and gives its result, parsed. It is a step of this worker's under
   * `path`: finished once, it never runs again.
   *
   * @throws AppError NOT_FOUND, WORKER_INPUT_REFUSED, WORKER_CALL_REFUSED (it calls itself, or too deep), or what ended
   *   the worker; {@link Postponed} when that one has to wait.
   */
  readonly callWorker: (call: WorkerCall) => Promise<unknown>;
}

/** Workers that may stand in a chain of calls, the execution's own included. */
export const CALL_CHAIN_MAX = 8;

export interface WorkerCall {
  readonly workerId: string;
  /** Anything that JSON can say. */
  readonly input: unknown;
  /** The step that the call is. */
  readonly path: string;
  /** Ends this call alone; it has to abort with the run's signal, too. */
  readonly signal?: AbortSignal;
}

/**
 * The durable steps of a run. A path names a step among those of its worker: 1,000 bytes at most, those of the
 * calls above it included. A step that is not finished may be started again.
 *
 * `start`, `finish` and `fail` resolve after COMMIT. They reject with {@link LeaseLost} when the attempt is somebody
 * else's by now: let that pass.
 */
export interface StepLog {
  /** A step that finished, in this attempt or one before it: use its output and don't do it again. */
  finished(path: string): FinishedStep | undefined;
  start(path: string): Promise<void>;
  /** @throws AppError WORKER_OUTPUT_INVALID when the output is larger or deeper than a result may be. */
  finish(
    path: string,
    step: { readonly output: JsonText; readonly usage?: StepUsage; readonly state?: StepState },
  ): Promise<void>;
  /** What was noted of a step, in this attempt or one before it. */
  noted(path: string): NotedStep | undefined;
  /** Notes where a step stands that goes on from a state of its own. Resolves and rejects as `start` does. */
  note(path: string, note: StepNote): Promise<void>;
  /** Ends the steps below a path that are begun and not over: nothing goes on with them. */
  abandon(path: string): Promise<void>;
  /** @param error whatever was thrown. What isn't an AppError is shown as WORKER_FAILED with its message. */
  fail(path: string, error: unknown): Promise<void>;
}

/** What a step used of models; what nobody knows is left out. */
export interface StepUsage {
  readonly promptTokens?: number;
  readonly completionTokens?: number;
  /** Of the prompt tokens, those that the provider had cached. */
  readonly cachedTokens?: number;
  /** In US dollars. */
  readonly cost?: number;
}

/** What a step of a workflow goes on from after a pause or a crash. */
export interface StepState {
  /** The kind of step. */
  readonly kind: string;
  /** Tries that were begun, the present one included. */
  readonly tries?: number;
  /** With WAITING, until when: Unix time in milliseconds. */
  readonly wakeAtMs?: number;
  /** Of an approval, what the person is asked. */
  readonly message?: string;
  /** Of an approval, what a person decided. */
  readonly decision?: StepDecision;
  /** Of a switch, the case that holds, from 0; -1 when none does. */
  readonly case?: number;
}

export interface StepDecision {
  readonly approved: boolean;
  /** `user-…` */
  readonly by: string;
  /** ISO-8601. */
  readonly at: string;
  readonly comment: string | null;
}

/** A step with a state, as it was noted last. */
export interface NotedStep {
  readonly status: 'RUNNING' | 'WAITING' | 'SUCCEEDED' | 'FAILED' | 'SKIPPED';
  readonly state: StepState;
  readonly input: JsonText | undefined;
  readonly error: StepError | undefined;
}

export interface StepError {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
}

/** What is noted of a step that has not succeeded. */
export interface StepNote {
  readonly status: 'RUNNING' | 'WAITING' | 'FAILED' | 'SKIPPED';
  readonly state: StepState;
  /** What the step was given; kept until the step is noted with another one. */
  readonly input?: JsonText;
  /** Whatever was thrown. */
  readonly error?: unknown;
}

export interface FinishedStep {
  readonly output: JsonText;
  readonly usage?: StepUsage;
  /** The attempt that finished it. */
  readonly attempt: number;
}

/** The attempt was taken over or the execution ended otherwise: nothing of it is written any more. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';

  constructor() {
    super('The lease of this attempt was lost.');
  }
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
  /** What the kind itself finds wrong with an input, whatever the worker's schema says; none when it can take it. */
  inputFaults?(inputParams: unknown): readonly SchemaFault[];
  run(worker: LoadedWorker, run: WorkerRun): Promise<WorkerOutput>;
}
