import { LRUCache } from 'lru-cache';
import { AppError, Postponed } from '../../../errors.js';
import { Gate } from '../../../lib/gate.js';
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

/** An isolate that did not answer for this long is ended, when others wait in it for the one that holds it. */
const HUNG_MS = 5_000;

/** Isolates of their own that suspects get at once. */
const ALONE_MAX = 4;

/** Shared isolates more than there should be, while others are stuck. */
const SPARE_MAX = 2;

/** An isolate and what runs in it. */
interface Shared {
  readonly isolate: Isolate;
  readonly runs: Map<number, IsolateRun>;
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
  readonly #alone = new Gate(ALONE_MAX);
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
   * @throws AppError WORKER_OUT_OF_MEMORY, WORKER_CRASHED, what the module threw; Postponed when another one may have
   *   crashed the isolate; the signal's reason when it aborted.
   */
  async run(file: string, run: WorkerRun): Promise<JsonText> {
    const alone = this.#suspects.has(run.executionId);
    return alone
      ? await this.#alone.run(() => this.#runAlone(file, run))
      : await this.#runIn(this.#choose(), file, run);
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
    const own = this.#start();
    try {
      return await this.#runIn(own, file, run);
    } finally {
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
    const shared: Shared = { isolate, runs, deaf: 0 };
    this.#all.add(isolate);
    this.#watch ??= setInterval(() => this.#endHung(), HUNG_MS / 5);
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
    for (const { isolate, runs } of this.#shared) if (isolate.silentMs > HUNG_MS && runs.size > 1) isolate.kill();
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
