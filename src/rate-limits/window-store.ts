import type pg from 'pg';
import { RateLimiterMemory, RateLimiterPostgres } from 'rate-limiter-flexible';
import type { Logger } from '../lib/logger.js';

/** Limits are calls a minute: a window is this long, in milliseconds. */
export const WINDOW_MS = 60_000;

/** What a lease found. */
export interface Lease {
  /** Calls that the window had counted before this lease; past the limit when others asked for more than was left. */
  readonly countedBefore: number;
  /** Milliseconds until the window ends. */
  readonly endsInMs: number;
}

/** The ingress waits for this; what takes longer, the wait for a connection included, is left to the insurance. */
const ANSWER_MS_MAX = 1_000;

const CLEAN_UP_EVERY_MS = 300_000;

/** An hour: no process's clock is so wrong that it still writes to such a window. */
const KEPT_AFTER_END_MS = 3_600_000;

/**
 * Windows that have ended long ago, and those that end so late that they were made before a clock was set back: they
 * would keep their limit exhausted until the time that the clock had.
 */
const CLEAN_UP = `
  delete from rate_limit_windows
  where expire not between extract(epoch from now()) * 1000 - ${KEPT_AFTER_END_MS}
    and extract(epoch from now()) * 1000 + ${KEPT_AFTER_END_MS + WINDOW_MS}`;

/**
 * The windows of all processes, one row a limit, counted by rate-limiter-flexible. A window begins with the first call
 * after the one before ended; its end stands in the row, so that it is the same for every process whatever their
 * clocks say. While the database does not answer, each process counts in its own memory instead.
 */
export class WindowStore {
  readonly #pool: pg.Pool;
  readonly #log: Logger;
  readonly #windows: RateLimiterPostgres;
  /** Without insurance: calls given back to a memory that never lent them would be calls too many. */
  readonly #giveBack: RateLimiterPostgres;
  readonly #cleanUp: NodeJS.Timeout;
  #failing = false;

  constructor(pool: pg.Pool, log: Logger) {
    this.#pool = pool;
    this.#log = log;
    const window = { points: 1, duration: WINDOW_MS / 1_000 }; // the points are compared here, not by the library
    const store = {
      ...window,
      storeClient: { query: (config: pg.QueryConfig) => this.#query(config) },
      storeType: 'pool',
      tableName: 'rate_limit_windows',
      tableCreated: true, // by our migration
      keyPrefix: '',
      clearExpiredByTimeout: false, // its timer could not be stopped
    };
    this.#windows = new RateLimiterPostgres({
      ...store,
      insuranceLimiter: new RateLimiterMemory({ ...window, keyPrefix: '' }),
    });
    this.#giveBack = new RateLimiterPostgres(store);
    this.#cleanUp = setInterval(() => void this.cleanUp(), CLEAN_UP_EVERY_MS);
    this.#cleanUp.unref();
  }

  /** Counts `calls` in the limit's window. Never rejects. */
  async lease(key: string, calls: number): Promise<Lease> {
    const { consumedPoints, msBeforeNext } = await this.#windows.penalty(key, calls);
    return { countedBefore: Math.max(0, consumedPoints - calls), endsInMs: Math.max(0, msBeforeNext) };
  }

  /** Takes back from the count what was leased and not spent. Never rejects. */
  async giveBack(key: string, calls: number): Promise<void> {
    await this.#giveBack.reward(key, calls).catch(() => undefined); // uncounted calls only make the limit stricter
  }

  /** Deletes what no process counts in any more. Never rejects. Exposed so that a test need not wait. */
  async cleanUp(): Promise<void> {
    await this.#pool.query(CLEAN_UP).catch(() => undefined); // the next one does it
  }

  close(): void {
    clearInterval(this.#cleanUp);
  }

  async #query(config: pg.QueryConfig): Promise<pg.QueryResult> {
    try {
      const result = await inTime(this.#pool.query(config), ANSWER_MS_MAX);
      if (this.#failing) this.#log.info('the rate limits are shared between processes again');
      this.#failing = false;
      return result;
    } catch (error) {
      if (!this.#failing) this.#log.warn({ err: error }, 'each process keeps to the rate limits by itself');
      this.#failing = true;
      throw error;
    }
  }
}

async function inTime<T>(answer: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the database did not answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([answer, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
