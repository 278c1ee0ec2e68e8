import { LRUCache } from 'lru-cache';
import { AppError, Postponed } from '../../../errors.js';
import type { JsonText } from '../../../lib/json-text.js';
import type { WorkerRun } from '../../worker-run.js';
import { Isolate, type IsolateEnd, type IsolateOptions } from './isolate.js';
import { IsolateRun } from './isolate-run.js';

export interface IsolatePoolOptions extends IsolateOptions {
  /** Isolates that runs share. */
  readonly size: number;
}

/** How long a run may go on after its signal aborted, before its isolate is ended. */
const GRACE_MS = 1_000;

/**
 * An isolate that did not answer for this long is ended, when others wait in it for the one that holds it; sooner when
 * one of them has little time, for it shall not time out for another's loop.
 */
const HUNG_MS = 5_000;

/** It is ended for a run's sake after this part of the time that the run has. */
const HUNG_PART = 0.4;

/** How often that is looked at. */
const WATCH_MS = 500;

/** Isolates of their own that suspects get at once. */
const ALONE_MAX = 4;

/** A suspect for which there is none comes back after this long: waiting here would be a part of its time. */
const ALONE_AGAIN_MS = 1_000;

/** Shared isolates more than there should be, while others are stuck. */
const SPARE_MAX = 2;

/** An isolate and what runs in it. */
interface Shared {
  readonly isolate: Isolate;
  readonly runs: Map<number, IsolateRun>;
  /** How long it may not answer while others wait in it, in milliseconds; of all that ever ran in it the shortest. */
  hungMs: number;
  /** Runs whose time was over and that did not end: nobody waits for them, and nothing new comes here. */
  deaf: number;
}

/**
 * The isolates of this process. Runs share a few of them, as they did the process: most wait for something else.
 *
 * An isolate that ends takes everything down that runs in it, and nobody knows whose fault it was unless there was only
 * one. So all of them are suspects: their attempts are given back undone, and each runs next time in an isolate of its
 * own. There it either ends well or is the one that crashed.
 */
export class IsolatePool {
  readonly #options: IsolatePoolOptions;
  readonly #shared = new Set<Shared>();
  /** By execution. */
  readonly #suspects = new LRUCache<string, true>({ max: 10_000, ttl: 3_600_000 });
  #alone = 0;
  readonly #all = new Set<Isolate>();
  #watch: NodeJS.Timeout | undefined;
  #runs = 0;
  #closed = false;

  constructor(options: IsolatePoolOptions) {
    this.#options = options;
  }

  /**
   * Runs a module.
   *
   * @param timeoutMs the time that the run has, which its signal keeps.
   * @throws AppError WORKER_OUT_OF_MEMORY, WORKER_CRASHED, what the module threw; Postponed when another one may have
   *   crashed the isolate, or when it has to run alone and cannot yet; the signal's reason when it aborted.
   */
  async run(file: string, run: WorkerRun, timeoutMs: number): Promise<JsonText> {
    if (this.#suspects.has(run.executionId)) return await this.#runAlone(file, run);
    const shared = this.#choose();
    shared.hungMs = Math.min(shared.hungMs, timeoutMs * HUNG_PART);
    return await this.#runIn(shared, file, run);
  }

  /** Starts an isolate before it is needed. */
  warm(): void {
    this.#choose();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#watch);
    for (const isolate of this.#all) isolate.kill();
  }

  async #runAlone(file: string, run: WorkerRun): Promise<JsonText> {
    if (this.#alone >= ALONE_MAX) throw new Postponed(ALONE_AGAIN_MS, 'It runs alone, and others do so before it.');
    this.#alone += 1;
    const own = this.#start();
    try {
      return await this.#runIn(own, file, run);
    } finally {
      this.#alone -= 1;
      own.deaf += 1; // it ends with its run
      this.#retire(own);
    }
  }

  async #runIn(shared: Shared, file: string, run: WorkerRun): Promise<JsonText> {
    run.signal.throwIfAborted();
    this.#runs += 1;
    const { isolate, runs } = shared;
    const isolateRun = new IsolateRun(this.#runs, run, (message) => isolate.send(message));
    runs.set(isolateRun.id, isolateRun);
    isolate.setBusy(true);
    isolateRun.begin(file);
    let grace: NodeJS.Timeout | undefined;
    const onAbort = (): void => {
      const { reason } = run.signal as { reason: Error };
      isolate.send({ type: 'abort', run: isolateRun.id, reason: reason.message });
      grace = setTimeout(() => this.#giveUp(shared, isolateRun, reason), GRACE_MS);
    };
    run.signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await isolateRun.result;
    } catch (error) {
      run.signal.throwIfAborted();
      throw error;
    } finally {
      clearTimeout(grace);
      run.signal.removeEventListener('abort', onAbort);
      runs.delete(isolateRun.id);
      if (runs.size === 0) isolate.setBusy(false);
      this.#retire(shared);
    }
  }

  /** The one with the fewest runs, among those that can begin something. */
  #choose(): Shared {
    const { size } = this.#options;
    const open = [...this.#shared].filter(({ deaf }) => deaf === 0);
    const awake = open.filter(({ isolate }) => !isolate.stuck);
    const least = awake.reduce<Shared | undefined>(
      (a, b) => (a === undefined || b.runs.size < a.runs.size ? b : a),
      undefined,
    );
    if (least !== undefined && (least.runs.size === 0 || open.length >= size)) return least;
    if (open.length < size + (awake.length === 0 ? SPARE_MAX : 0)) {
      const started = this.#start();
      this.#shared.add(started);
      return started;
    }
    return least ?? open[0]!;
  }

  #start(): Shared {
    const runs = new Map<number, IsolateRun>();
    const isolate: Isolate = new Isolate(
      this.#options,
      (message) => {
        if (!('run' in message)) return;
        const run = runs.get(message.run);
        if (run?.heard(message) === true) runs.delete(run.id);
      },
      (end) => this.#ended(shared, end),
    );
    const shared: Shared = { isolate, runs, hungMs: HUNG_MS, deaf: 0 };
    this.#all.add(isolate);
    this.#watch ??= setInterval(() => this.#endHung(), WATCH_MS);
    return shared;
  }

  /** A run did not end when its time was over. Alone it goes with its isolate, else it is left behind. */
  #giveUp(shared: Shared, run: IsolateRun, reason: Error): void {
    shared.deaf += 1;
    if (shared.isolate.stuck) shared.isolate.kill();
    run.end(reason);
  }

  #retire(shared: Shared): void {
    if (shared.deaf > 0 && shared.runs.size === 0) shared.isolate.kill();
  }

  #endHung(): void {
    for (const { isolate, runs, hungMs } of this.#shared) {
      if (isolate.silentMs > hungMs && isolate.stuck && runs.size > 1) isolate.kill();
    }
  }

  #ended(shared: Shared, { code, message }: IsolateEnd): void {
    this.#all.delete(shared.isolate);
    this.#shared.delete(shared);
    const runs = [...shared.runs.values()];
    for (const run of runs) {
      if (this.#closed) run.end(new Postponed(0, 'The process stops.'));
      else if (runs.length === 1 && shared.deaf === 0) run.end(new AppError(code, message, { retryable: true }));
      else this.#suspect(run);
    }
  }

  #suspect(run: IsolateRun): void {
    this.#suspects.set(run.executionId, true);
    run.end(new Postponed(0, 'The process that it ran in ended, perhaps through another worker. It runs again alone.'));
  }
}
