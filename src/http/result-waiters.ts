import type pg from 'pg';
import type { Sql } from '../db/database.js';
import { AppError } from '../errors.js';
import type { Topic } from '../events/event.js';
import type { EventHub, EventStream } from '../events/event-hub.js';
import { Gate } from '../lib/gate.js';

export interface ResultWaitersOptions {
  readonly hub: EventHub;
  readonly sql: Sql;
  /** Long-polls and streams at once; the next one is refused. */
  readonly waitersMax: number;
}

/** When a place may be free again. */
const RETRY_AFTER_MS = 5_000;

/** An event wakes many at once: they read by twos, and leave the pool's other connections to everybody else. */
const READS_AT_ONCE = 2;

/** A place among those who wait, and what they hear meanwhile. */
export interface ResultWaiter {
  /** Ends when {@link ResultWaiters.release} is called, or when it is closed. What piles up in it is one `resync`. */
  readonly hints: EventStream;
  /** Gives the place back. */
  readonly leave: () => void;
}

/** Everybody who waits for results in this process: counted, woken by events and never by a clock. */
export class ResultWaiters {
  /** For the reads of those who wait. */
  readonly sql: Sql;
  readonly #options: ResultWaitersOptions;
  readonly #waiting = new Set<EventStream>();
  #released = false;

  constructor(options: ResultWaitersOptions) {
    this.#options = options;
    const gate = new Gate(READS_AT_ONCE);
    this.sql = {
      query: <Row extends pg.QueryResultRow>(query: string | pg.QueryConfig, values?: unknown[]) =>
        gate.run(() =>
          typeof query === 'string' ? options.sql.query<Row>(query, values) : options.sql.query<Row>(query),
        ),
    };
  }

  /**
   * Takes a place and begins to listen.
   *
   * @throws AppError TOO_MANY_WAITERS.
   */
  enter(topics: readonly Topic[]): ResultWaiter {
    if (this.#waiting.size >= this.#options.waitersMax) {
      throw new AppError('TOO_MANY_WAITERS', undefined, { retryAfterMs: RETRY_AFTER_MS });
    }
    const hints = this.#options.hub.subscribe(topics, 1);
    this.#waiting.add(hints);
    if (this.#released) hints.close();
    return {
      hints,
      leave: () => {
        this.#waiting.delete(hints);
        hints.close();
      },
    };
  }

  /**
   * Reads, and reads again whenever something is heard, until what was read is enough, the time is over, the caller
   * hangs up, or everybody is released. Gives what was read last.
   *
   * @throws AppError TOO_MANY_WAITERS.
   */
  async readUntil<Value>(options: {
    readonly topics: readonly Topic[];
    readonly read: (sql: Sql) => Promise<Value>;
    readonly isEnough: (value: Value) => boolean;
    readonly waitMs: number;
    /** Aborted when the caller hangs up. */
    readonly gone: AbortSignal;
  }): Promise<Value> {
    const { read, isEnough, gone } = options;
    const { hints, leave } = this.enter(options.topics);
    const timer = setTimeout(() => hints.close(), options.waitMs);
    gone.addEventListener('abort', leave, { once: true });
    if (gone.aborted) leave();
    try {
      let value = await read(this.sql); // after listening: what happened before is in it, what happens later is heard
      if (isEnough(value)) return value;
      for await (const _ of hints) {
        value = await read(this.sql);
        if (isEnough(value)) return value;
      }
      return gone.aborted ? value : await read(this.sql);
    } finally {
      clearTimeout(timer);
      gone.removeEventListener('abort', leave);
      leave();
    }
  }

  /** Ends every wait now and from now on: each caller gets what there is. */
  release(): void {
    this.#released = true;
    for (const hints of this.#waiting) hints.close();
  }
}
