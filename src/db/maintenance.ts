import type pg from 'pg';
import type { Logger } from '../lib/logger.js';
import type { Sql } from './database.js';

/** Something that has to be done now and then, by one process. Each statement commits by itself. */
export interface MaintenanceTask {
  readonly name: string;
  readonly run: (sql: Sql) => Promise<void>;
}

export interface MaintenanceOptions {
  readonly pool: pg.Pool;
  /** Done in this order; one that fails is logged and does not prevent the next. */
  readonly tasks: readonly MaintenanceTask[];
  /** Between two rounds, in milliseconds; an hour by default. */
  readonly everyMs?: number;
  /** The advisory lock that one process at a time holds: rounds with another one don't wait for each other. */
  readonly lock?: readonly [number, number];
  readonly log: Logger;
}

export interface Maintenance {
  /** Resolves when no round is under way any more. */
  stop(): Promise<void>;
}

const EVERY_MS = 3_600_000;

/** The advisory lock of the process that maintains ("main" and "tain" as two 32-bit numbers). */
const MAINTENANCE_LOCK = [0x6d61_696e, 0x7461_696e] as const;

/** To drop a partition waits for every statement on its table, and what comes after waits for it: not for long. */
const LOCK_TIMEOUT_MS = 2_000;

/** Does the tasks now and every hour, or as often as is said. */
export function startMaintenance(options: MaintenanceOptions): Maintenance {
  let round: Promise<unknown> = Promise.resolve();
  const begin = (): void => {
    round = maintain(options).catch((error: unknown) => {
      options.log.error({ err: error }, 'the maintenance could not begin');
    });
  };
  begin();
  const timer = setInterval(begin, options.everyMs ?? EVERY_MS);
  return {
    stop: async () => {
      clearInterval(timer);
      await round;
    },
  };
}

/**
 * One round.
 *
 * @returns false when another process is at it.
 */
export async function maintain({ pool, tasks, lock = MAINTENANCE_LOCK, log }: MaintenanceOptions): Promise<boolean> {
  const client = await pool.connect();
  let broken = true;
  try {
    const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1, $2) as locked', [
      ...lock,
    ]);
    if (!rows[0]!.locked) {
      broken = false;
      return false;
    }
    await client.query(`set lock_timeout = ${LOCK_TIMEOUT_MS}`);
    for (const { name, run } of tasks) {
      await run(client).catch((error: unknown) => log.error({ err: error, task: name }, 'a maintenance task failed'));
    }
    await client.query('reset lock_timeout');
    await client.query('select pg_advisory_unlock($1, $2)', [...lock]);
    broken = false;
    return true;
  } finally {
    client.release(broken); // a broken connection is closed, and its lock and setting are gone with it
  }
}
