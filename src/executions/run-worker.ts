import { AppError } from '../errors.js';
import { formatId } from '../lib/ids.js';
import { type JsonText, toJsonText } from '../lib/json-text.js';
import type { Logger } from '../lib/logger.js';
import {
  CALL_CHAIN_MAX,
  type FinishedStep,
  LeaseLost,
  type LoadedWorker,
  Postponed,
  type WorkerCall,
  type WorkerOutput,
  type WorkerRun,
} from '../workers/worker-run.js';
import { timedOut } from './attempt-ending.js';
import type { Lease } from './lease.js';
import { RunScope, type SharedProgress } from './run-scope.js';

/** Where workers are found and run: the registry. */
export interface WorkerHost {
  load(workerId: string, version?: number): Promise<LoadedWorker>;
  run(worker: LoadedWorker, run: WorkerRun): Promise<WorkerOutput>;
}

/** What every worker of an attempt runs with. */
export interface RunContext {
  readonly workers: WorkerHost;
  readonly lease: Lease;
  readonly shared: SharedProgress;
  readonly log: Logger;
}

/** One worker's place in an attempt. */
interface Place {
  /** The path of its call; empty for the execution's own worker. */
  readonly path: string;
  /** The ids of the workers that called one another, the execution's own first and this one last. */
  readonly chain: readonly string[];
  readonly input: JsonText;
  readonly signal: AbortSignal;
}

/** Node's timers fire at once beyond this. */
const TIMER_MS_MAX = 2_147_483_647;

/** Runs the execution's own worker. The tokens of the workers that it calls are in its own. */
export function runOwnWorker(
  context: RunContext,
  worker: LoadedWorker,
  input: JsonText,
  signal: AbortSignal,
): Promise<WorkerOutput> {
  return runWithin(context, worker, { path: '', chain: [worker.id], input, signal });
}

/**
 * Runs a worker until it ends, its time is over or the signal aborts, and no longer: a worker that doesn't listen to
 * its signal does not hold the slot.
 */
async function runWithin(context: RunContext, worker: LoadedWorker, place: Place): Promise<WorkerOutput> {
  const { lease } = context;
  const outer = place.signal;
  outer.throwIfAborted();
  const controller = new AbortController();
  const { signal } = controller;
  const onOuterAbort = (): void => controller.abort(outer.reason);
  outer.addEventListener('abort', onOuterAbort);
  const timeoutMs = Math.min(worker.timeoutMs, TIMER_MS_MAX);
  const timer = setTimeout(() => controller.abort(timedOut(worker.timeoutMs)), timeoutMs);
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
  const scope = new RunScope(context.shared, place.path);
  const called = { promptTokens: 0, completionTokens: 0 };
  let waits: Postponed | undefined;
  try {
    const running = context.workers.run(worker, {
      executionId: formatId('execution', lease.executionId),
      path: place.path,
      callId: formatId('call', lease.callId),
      webhookId: formatId('webhook', lease.webhookId),
      attempt: lease.attempt,
      inputParams: JSON.parse(place.input),
      inputText: place.input,
      signal,
      log: context.log.child({ executionId: lease.executionId, workerId: worker.id, attempt: lease.attempt }),
      steps: scope,
      emitText: scope.emitText,
      callWorker: async (call) => {
        const within = { ...place, signal: call.signal ?? signal };
        const { output, usage } = await callWorker(context, scope, within, call).catch((error: unknown) => {
          if (error instanceof Postponed) waits = error;
          throw error;
        });
        called.promptTokens += usage?.promptTokens ?? 0;
        called.completionTokens += usage?.completionTokens ?? 0;
        return JSON.parse(output) as unknown;
      },
    });
    const output = await Promise.race([running, aborted]);
    if (waits !== undefined) throw waits; // a worker that catches what a call throws waits for it all the same
    scope.endText();
    return withTokens(output, called);
  } finally {
    clearTimeout(timer);
    outer.removeEventListener('abort', onOuterAbort);
  }
}

/** Runs another worker as a step of the one that calls it. */
async function callWorker(
  context: RunContext,
  caller: RunScope,
  place: Place,
  { workerId, input, path }: WorkerCall,
): Promise<FinishedStep> {
  const earlier = caller.finished(path);
  if (earlier !== undefined) return earlier;
  if (place.chain.includes(workerId)) {
    throw new AppError('WORKER_CALL_REFUSED', `${[...place.chain, workerId].join(' → ')}: a worker would call itself.`);
  }
  if (place.chain.length >= CALL_CHAIN_MAX) {
    throw new AppError('WORKER_CALL_REFUSED', `More than ${CALL_CHAIN_MAX} workers would call one another.`);
  }
  const whole = caller.wholePath(path);
  const worker = await context.workers.load(workerId, context.shared.versions.get(whole));
  context.shared.versions.set(whole, worker.version);
  await caller.start(path, { id: worker.id, version: worker.version });
  try {
    const chain = [...place.chain, workerId];
    const output = await runWithin(context, worker, {
      path: whole,
      chain,
      input: toJsonText(input),
      signal: place.signal,
    });
    const { result, promptTokens, completionTokens } = output;
    const usage = {
      ...(promptTokens !== undefined && { promptTokens }),
      ...(completionTokens !== undefined && { completionTokens }),
    };
    await caller.finish(path, { output: result, ...(Object.keys(usage).length > 0 && { usage }) });
    return caller.finished(path)!;
  } catch (error) {
    if (isOwnFault(error, place.signal)) await caller.fail(path, error);
    throw error;
  }
}

/** Whether a call failed by itself: not because its caller was ended, and not because it only waits. */
function isOwnFault(error: unknown, callerSignal: AbortSignal): boolean {
  return !callerSignal.aborted && !(error instanceof Postponed) && !(error instanceof LeaseLost);
}

function withTokens(
  output: WorkerOutput,
  called: { readonly promptTokens: number; readonly completionTokens: number },
): WorkerOutput {
  if (called.promptTokens === 0 && called.completionTokens === 0) return output;
  return {
    ...output,
    promptTokens: (output.promptTokens ?? 0) + called.promptTokens,
    completionTokens: (output.completionTokens ?? 0) + called.completionTokens,
  };
}
