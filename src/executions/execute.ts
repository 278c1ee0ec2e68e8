import { isDataFault } from '../db/data-fault.js';
import { AppError } from '../errors.js';
import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import { executionIdOf } from '../queue/enqueue.js';
import { type JobContext, type JobHandler, RunnerLost, RunnerStopping } from '../queue/job-context.js';
import { LeaseLost, type LoadedWorker, Postponed, type WorkerOutput } from '../workers/worker-run.js';
import { canceled, endingInTime, failedAttempt, isModelFull, postponed, runnerLostTooOften } from './attempt-ending.js';
import type { Cancellations } from './cancellations.js';
import type { Ending } from './finish.js';
import type { Lease } from './lease.js';
import type { LeaseDesk } from './lease-desk.js';
import { noProgress } from './load-progress.js';
import { RunProgress } from './run-progress.js';
import { SharedProgress } from './run-scope.js';
import { runOwnWorker, type WorkerHost } from './run-worker.js';

export interface ExecuteOptions {
  readonly workers: WorkerHost;
  readonly leases: LeaseDesk;
  readonly cancellations: Cancellations;
  /** Counts an execution that begins, once however often it is attempted; an AppError refuses it for good. */
  readonly admitRun?: (execution: Pick<Lease, 'executionId' | 'webhookId'>) => Promise<void>;
  /** For how long a call's caller still waits for the answer, in milliseconds; `null`: nobody does. */
  readonly answerWaitMs?: (callId: string) => Promise<number | null>;
  /** For how long an execution may be put off in all for want of room at its models, in milliseconds; a day by default. */
  readonly modelWaitMsMax?: number;
  /** Lets an execution that was put off go on when a person has decided about it meanwhile. */
  readonly wakeIfDecided?: (executionId: string, attemptMs: number) => Promise<void>;
  /** Takes note of how long the last attempt of an execution took, in milliseconds. Never throws, never waits. */
  readonly noteTime?: (webhookId: string, durationMs: number) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

const MODEL_WAIT_MS_MAX = 86_400_000;

/** A worker that can't be looked up now (the database is away) is tried again after this long; no attempt is spent. */
const LOOK_UP_AGAIN_MS = 5_000;

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
  const { leases, cancellations, clock, log } = options;
  const running = new Set<string>();

  const runOne = async (executionId: string, context: JobContext): Promise<void> => {
    // Cancellations are heard before the lease is there: between its commit and its arrival one may already be asked for.
    const attempt = await cancellations.during(executionId, context.signal, async (signal) => {
      const taken = await leases.take({ executionId, runnerId: context.runnerId }, context.signal);
      if (taken.type !== 'leased') return taken.type;
      const startedMs = clock.monotonicMs();
      return { lease: taken.lease, startedMs, ending: await runAttempt(options, taken.lease, signal) };
    });
    if (attempt === 'done') return;
    if (attempt === 'busy') throw new TryLater('Another runner has it.');
    const { lease, startedMs, ending } = attempt;
    if (ending === 'dropped') throw new TryLater('The lease was lost.');
    const result = await leases.finish({ lease, ending }, context.signal).catch((error: unknown) => {
      if (!isDataFault(error)) throw error;
      log.warn({ err: error, executionId }, 'a result could not be stored');
      const unstorable = failedAttempt(new AppError('WORKER_OUTPUT_INVALID'), lease.attempt, lease.attempt);
      return leases.finish({ lease, ending: unstorable }, context.signal);
    });
    if (result === 'refused') throw new TryLater('The lease was taken over.');
    if (ending.status === 'PAUSED' || ending.status === 'POSTPONED')
      await options.wakeIfDecided?.(executionId, clock.monotonicMs() - startedMs);
    if ('delayMs' in ending) await cancellations.cancelIfRequested(executionId);
    else options.noteTime?.(lease.webhookId, clock.monotonicMs() - startedMs);
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
  if (lease.cancelRequested) return failedAttempt(canceled(), lease.attempt, lease.attempt);
  let worker: LoadedWorker;
  try {
    await options.admitRun?.(lease);
    worker = await options.workers.load(lease.workerId, lease.workerVersion ?? undefined);
  } catch (error) {
    if (error instanceof AppError) return failedAttempt(error, lease.attempt, lease.attempt);
    options.log.warn({ err: error, workerId: lease.workerId }, 'a worker could not be looked up or its run counted');
    return { status: 'QUEUED', delayMs: LOOK_UP_AGAIN_MS };
  }
  if (lease.attempt > worker.attemptsMax) return runnerLostTooOften(worker.attemptsMax);
  try {
    const { result, promptTokens, completionTokens } = await runFenced(options, worker, lease, signal);
    return { status: 'SUCCEEDED', result, promptTokens, completionTokens };
  } catch (error) {
    if (error instanceof RunnerLost || error instanceof LeaseLost) return 'dropped';
    if (error instanceof RunnerStopping) return { status: 'QUEUED', delayMs: 0 };
    const ending =
      error instanceof Postponed
        ? postponed(error, (options.modelWaitMsMax ?? MODEL_WAIT_MS_MAX) - lease.postponedMs)
        : failedAttempt(error, lease.attempt, worker.attemptsMax);
    if (!isModelFull(ending, error)) return ending;
    // Unknown counts as waiting for nobody: the execution goes on, and its caller is told so.
    return endingInTime(ending, error as Error, (await options.answerWaitMs?.(lease.callId).catch(() => null)) ?? null);
  }
}

/** Runs the worker with what earlier attempts left, writes what it comes to, and ends it when its lease is lost. */
async function runFenced(
  { workers, leases, log }: ExecuteOptions,
  worker: LoadedWorker,
  lease: Lease,
  runnerSignal: AbortSignal,
): Promise<WorkerOutput> {
  runnerSignal.throwIfAborted();
  const controller = new AbortController();
  const onRunnerAbort = (): void => controller.abort(runnerSignal.reason);
  runnerSignal.addEventListener('abort', onRunnerAbort);
  const earlier = isFresh(lease)
    ? noProgress()
    : await leases.load(lease.executionId, runnerSignal).catch((error: unknown) => {
        runnerSignal.throwIfAborted();
        throw error;
      });
  const progress = new RunProgress({
    lease,
    write: (write) => leases.write(write, runnerSignal),
    onLost: (error) => controller.abort(error),
  });
  let output: WorkerOutput;
  try {
    const shared = new SharedProgress(progress, lease.attempt, earlier);
    output = await runOwnWorker({ workers, lease, shared, log }, worker, lease.input, controller.signal);
  } finally {
    runnerSignal.removeEventListener('abort', onRunnerAbort);
    await progress.close();
  }
  if (controller.signal.reason instanceof LeaseLost) throw controller.signal.reason; // its last text was refused
  return output;
}

/**
 * Whether nothing can be left of it, so that nothing has to be read: an execution that was begun before has at least
 * three events in front of the one of this lease, and one that waited for its turn has two.
 */
function isFresh({ attempt, seq }: Lease): boolean {
  return attempt === 1 && seq <= 3;
}
