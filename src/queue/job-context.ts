/** What a job is told about where it runs. */
export interface JobContext {
  /** The runner's id at the time the job was handed out, a UUID. */
  readonly runnerId: string;
  /** Aborts when the job has to end: its reason is a {@link RunnerStopping} or a {@link RunnerLost}. */
  readonly signal: AbortSignal;
}

/**
 * Does one job. To resolve says that nothing of the job is left to do, and the queue deletes it; to reject says that
 * it must be done again, and the queue keeps it.
 */
export type JobHandler = (payload: unknown, context: JobContext) => Promise<void>;

/** The process ends, and the time for running jobs is over: give back what is not done. */
export class RunnerStopping extends Error {
  override readonly name = 'RunnerStopping';

  constructor() {
    super('The runner is stopping.');
  }
}

/** This runner was declared dead while it was paused or cut off, and its work was given to others: drop it. */
export class RunnerLost extends Error {
  override readonly name = 'RunnerLost';

  constructor() {
    super('The runner was declared dead; its work was given to others.');
  }
}
