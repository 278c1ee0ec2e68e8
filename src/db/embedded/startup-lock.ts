import { DatabaseSync } from 'node:sqlite';
import { AppError } from '../../errors.js';
import { notWritable } from './data-layout.js';
import { poll } from './poll.js';

export interface StartupLock {
  release(): void;
}

/** SQLite's result codes (https://www.sqlite.org/rescode.html). */
const SQLITE_BUSY = 5;

/**
 * Takes the lock under which a server is started, joined or stopped: one process at a time for a data directory.
 *
 * It is the write lock of an empty SQLite file, because the kernel drops that when its holder dies, however it dies.
 * A file that is made exclusively would outlive a crash, and deciding that such a file is stale is a race of its own;
 * Node offers no `flock`.
 *
 * @param limitMs how long to wait for another process.
 * @throws AppError STARTUP_FAILED when that time passes, or the file cannot be opened.
 */
export async function takeStartupLock(lockFile: string, limitMs: number, onWait?: () => void): Promise<StartupLock> {
  let waited = false;
  const lock = await poll(
    () => {
      const taken = tryTake(lockFile);
      if (taken === undefined && !waited) {
        waited = true;
        onWait?.();
      }
      return taken;
    },
    limitMs,
    20,
  );
  if (lock !== undefined) return lock;
  throw new AppError(
    'STARTUP_FAILED',
    `Another Workhook process has been starting or stopping PostgreSQL for ${Math.round(limitMs / 1000)} s: stop the process that holds ${lockFile}.`,
  );
}

function tryTake(lockFile: string): StartupLock | undefined {
  let file: DatabaseSync | undefined;
  try {
    const opened = new DatabaseSync(lockFile, { timeout: 0 });
    file = opened;
    opened.exec('BEGIN EXCLUSIVE');
    return { release: () => opened.close() };
  } catch (error) {
    file?.close();
    if (isBusy(error)) return undefined;
    throw notWritable(lockFile, error);
  }
}

function isBusy(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'errcode' in error && error.errcode === SQLITE_BUSY;
}
