import type pg from 'pg';
import type { Logger } from '../lib/logger.js';
import { dropExpiredPartitions, ensurePartitions } from './partitions.js';

export interface MaintenanceOptions {
  readonly pool: pg.Pool;
  /** 0 keeps everything. */
  readonly retentionDays: number;
  readonly log: Logger;
}

export interface Maintenance {
  /** Resolves when no round is under way any more. */
  stop(): Promise<void>;
}

const EVERY_MS = 3_600_000;

/** The advisory lock of the process that maintains ("part" and "itio" as two 32-bit numbers). */
const MAINTENANCE_LOCK = [0x7061_7274, 0x6974_696f] as const;

/** To drop a partition waits for every statement on its table, and what comes after waits for it: not for long. */
const LOCK_TIMEOUT_MS = 2_000;

/** Makes the coming partitions and drops the expired ones, now and every hour. */
export function startMaintenance(options: MaintenanceOptions): Maintenance {
  let round = Promise.resolve();
  const begin = (): void => {
    round = maintainPartitions(options.pool, options.retentionDays).then(
      () => undefined,
      (error: unknown) => options.log.error({ err: error }, 'the partitions could not be maintained'),
    );
  };
  begin();
  const timer = setInterval(begin, EVERY_MS);
  return {
    stop: () => {
      clearInterval(timer);
      return round;
    },
  };
}

/**
 * One round; each half commits by itself, so that partitions that can't be dropped now don't prevent new ones.
 *
 * @returns false when another process is at it.
 */
export async function maintainPartitions(pool: pg.Pool, retentionDays: number): Promise<boolean> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1, $2) as locked', [
      ...MAINTENANCE_LOCK,
    ]);
    if (!rows[0]!.locked) return false;
    await client.query(`set lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await ensurePartitions(client);
    await dropExpiredPartitions(client, retentionDays);
    await client.query('reset lock_timeout');
    await client.query('select pg_advisory_unlock($1, $2)', [...MAINTENANCE_LOCK]);
    return true;
  } catch (error) {
    broken = error as Error;
    throw error;
  } finally {
    client.release(broken); // a broken connection is closed, and its lock and setting with it
  }
}
