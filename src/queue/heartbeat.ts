import type { Sql } from '../db/database.js';
import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import type { RunnerRegistration } from './registration.js';
import { RUNNER_SILENT_MS_MAX, rescueSilentRunners, unlockOrphans } from './rescue.js';

export interface HeartbeatOptions {
  readonly sql: Sql;
  readonly registration: RunnerRegistration;
  /** Called when this runner was declared dead, before it registers anew: what runs has to be dropped. */
  readonly onLost: () => void;
  /** Called after every beat: what else has to be looked after in the database. */
  readonly onBeat?: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

const BEAT_MS = 5_000;

/** Orphans need a crash within a few milliseconds of a start, and looking for them reads all jobs. */
const BEATS_PER_ORPHAN_SEARCH = 12;

/**
 * Every five seconds: says that this runner lives, and frees the work of those that don't.
 *
 * After an outage of the database every heartbeat is old. Others are declared dead only when this runner's own beats
 * have gone through for as long as a runner may be silent: by then the living have beaten.
 */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;
  #beats = 0;
  #lastBeatMs: number;
  #steadySinceMs: number;
  #stopped = false;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#lastBeatMs = options.clock.monotonicMs();
    this.#steadySinceMs = this.#lastBeatMs;
  }

  start(): void {
    this.#schedule();
  }

  /** Beats now, and rescues when it may. Exposed so that a test need not wait. */
  async beat(): Promise<void> {
    const { sql, registration, onLost, onBeat, clock, log } = this.#options;
    if ((await registration.beat()) === 'lost') {
      log.warn({ runnerId: registration.id }, 'this runner was declared dead while it was paused or cut off');
      onLost();
      await registration.register();
    }
    await onBeat?.();
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#lastBeatMs > RUNNER_SILENT_MS_MAX / 2) this.#steadySinceMs = nowMs;
    this.#lastBeatMs = nowMs;
    if (nowMs - this.#steadySinceMs < RUNNER_SILENT_MS_MAX) return;
    const dead = await rescueSilentRunners(sql);
    if (dead.length > 0) log.warn({ runnerIds: dead }, 'runners were silent for too long; their work runs again');
    this.#beats += 1;
    if (this.#beats % BEATS_PER_ORPHAN_SEARCH === 0) await unlockOrphans(sql);
  }

  /** Resolves when no beat is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#beating;
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#beating = this.beat()
        .catch((error: unknown) => this.#options.log.warn({ err: error }, 'a heartbeat failed'))
        .finally(() => this.#schedule());
    }, BEAT_MS);
  }
}
