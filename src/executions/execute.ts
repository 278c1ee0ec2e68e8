import { isDataFault } from '../db/data-fault.js';
import { AppError } from '../errors.js';
import { formatId } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import { executionIdOf } from '../queue/enqueue.js';
import { type JobContext, type JobHandler, RunnerLost, RunnerStopping } from '../queue/job-context.js';
import type { LoadedWorker, WorkerOutput, WorkerRun } from '../workers/worker-run.js';
import { failedAttempt, runnerLostTooOften, timedOut } from './attempt-ending.js';
import type { Ending } from './finish.js';
import type { Lease } from './lease.js';
import type { LeaseDesk } from './lease-desk.js';

/** Where workers are found and run: the registry. */
export interface WorkerHost {
  load(workerId: string, version?: number): Promise<LoadedWorker>;
  run(worker: LoadedWorker, run: WorkerRun): Promise<WorkerOutput>;
}

export interface ExecuteOptions {
  readonly workers: WorkerHost;
  readonly leases: LeaseDesk;
  readonly log: Logger;
}

/** A worker that can't be looked up now (the database is away) is tried again after this long; no attempt is spent. */
const LOOK_UP_AGAIN_MS = 5_000;

/** Node's timers fire at once beyond this. */
const TIMER_MS_MAX = 2_147_483_647;

/** The job can't be done here and now; the queue offers it again later. */
class TryLater extends Error {
  override readonly name = 'TryLater';
}

/**
 * The handler of `run_execution` jobs: takes the lease, runs the worker at its pinned version, writes the end.
 *
 * It resolves only when nothing is left for this job: the execution is terminal, or its next job is committed. In every
 * other case it rejects and the queue keeps the job, for a job that is deleted too early is an execution that stands
 * still for ever.
 */
export function createExecuteHandler(options: ExecuteOptions): JobHandler {
  const { leases, log } = options;
  const running = new Set<string>();

  const runOne = async (executionId: string, context: JobContext): Promise<void> => {
    const taken = await leases.take({ executionId, runnerId: context.runnerId }, context.signal);
    if (taken.type === 'done') return;
    if (taken.type === 'busy') throw new TryLater('Another runner has it.');
    const { lease } = taken;
    const ending = await runAttempt(options, lease, context.signal);
    if (ending === 'dropped') throw new TryLater('The lease was lost.');
    const result = await leases.finish({ lease, ending }, context.signal).catch((error: unknown) => {
      if (!isDataFault(error)) throw error;
      log.warn({ err: error, executionId }, 'a result could not be stored');
      const unstorable = failedAttempt(new AppError('WORKER_OUTPUT_INVALID'), lease.attempt, lease.attempt);
      return leases.finish({ lease, ending: unstorable }, context.signal);
    });
    if (result === 'refused') throw new TryLater('The lease was taken over.');
  };

  return async (payload, context) => {
    const executionId = executionIdOf(payload);
    if (executionId === undefined) {
      log.error('a job names no execution; it is dropped');
      return;
    }
    if (running.has(executionId)) throw new TryLater('This process is running it.');
    running.add(executionId);
    try {
      await runOne(executionId, context);
    } finally {
      running.delete(executionId);
    }
  };
}

/** Runs one attempt to an end, whatever happens in it. `dropped`: it is somebody else's by now. */
async function runAttempt(options: ExecuteOptions, lease: Lease, signal: AbortSignal): Promise<Ending | 'dropped'> {
  let worker: LoadedWorker;
  try {
    worker = await options.workers.load(lease.workerId, lease.workerVersion ?? undefined);
  } catch (error) {
    if (error instanceof AppError) return failedAttempt(error, lease.attempt, lease.attempt);
    options.log.warn({ err: error, workerId: lease.workerId }, 'a worker could not be looked up');
    return { status: 'QUEUED', delayMs: LOOK_UP_AGAIN_MS };
  }
  if (lease.attempt > worker.attemptsMax) return runnerLostTooOften(worker.attemptsMax);
  try {
    const { result, promptTokens, completionTokens } = await runWithin(options, worker, lease, signal);
    return { status: 'SUCCEEDED', result, promptTokens, completionTokens };
  } catch (error) {
    if (error instanceof RunnerLost) return 'dropped';
    if (error instanceof RunnerStopping) return { status: 'QUEUED', delayMs: 0 };
    return failedAttempt(error, lease.attempt, worker.attemptsMax);
  }
}

/**
 * Runs the worker until it ends, its time is over or the runner's signal aborts, and no longer: a worker that doesn't
 * listen to its signal does not hold the slot.
 */
async function runWithin(
  options: ExecuteOptions,
  worker: LoadedWorker,
  lease: Lease,
  runnerSignal: AbortSignal,
): Promise<WorkerOutput> {
  const controller = new AbortController();
  const { signal } = controller;
  const onRunnerAbort = (): void => controller.abort(runnerSignal.reason);
  if (runnerSignal.aborted) throw runnerSignal.reason;
  runnerSignal.addEventListener('abort', onRunnerAbort);
  const timeoutMs = Math.min(worker.timeoutMs, TIMER_MS_MAX);
  const timer = setTimeout(() => controller.abort(timedOut(worker.timeoutMs)), timeoutMs);
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
  try {
    const run = options.workers.run(worker, {
      executionId: formatId('execution', lease.executionId),
      callId: formatId('call', lease.callId),
      webhookId: formatId('webhook', lease.webhookId),
      attempt: lease.attempt,
      inputParams: JSON.parse(lease.input),
      inputText: lease.input,
      signal,
      log: options.log.child({ executionId: lease.executionId, workerId: worker.id, attempt: lease.attempt }),
    });
    return await Promise.race([run, aborted]);
  } finally {
    clearTimeout(timer);
    runnerSignal.removeEventListener('abort', onRunnerAbort);
  }
}
