import { constants } from 'node:fs';
import { access, mkdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, codeOf } from '../../errors.js';

/** Where the embedded PostgreSQL keeps what it needs, all below Workhook's data directory. */
export interface DataLayout {
  /** Absolute, without symbolic links. */
  readonly dataDir: string;
  /** PostgreSQL's own data directory. */
  readonly clusterDir: string;
  readonly passwordFile: string;
  readonly logFile: string;
  readonly lockFile: string;
  /** Holds the Unix socket when its path is short enough. */
  readonly socketDir: string;
  /** Names the directory of the Unix socket when `socketDir` is too deep. */
  readonly socketDirRecord: string;
}

/**
 * Makes the data directory when it is missing. Root makes it enterable, not listable, for others (0711), because the
 * server runs as another user; everything in it has its own mode.
 *
 * @throws AppError STARTUP_FAILED when the directory cannot be made or written.
 */
export async function prepareDataDir(dataDir: string): Promise<DataLayout> {
  let path: string;
  try {
    await mkdir(dataDir, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
    path = await realpath(dataDir);
    if (!(await stat(path)).isDirectory()) throw Object.assign(new Error('not a directory'), { code: 'ENOTDIR' });
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw notWritable(dataDir, error);
  }
  return {
    dataDir: path,
    clusterDir: join(path, 'postgres'),
    passwordFile: join(path, 'postgres.password'),
    logFile: join(path, 'postgres.log'),
    lockFile: join(path, 'postgres.lock'),
    socketDir: join(path, 'postgres.run'),
    socketDirRecord: join(path, 'postgres.socket-dir'),
  };
}

/** The one sentence for a data directory, or a file in it, that cannot be used. */
export function notWritable(path: string, cause: unknown): AppError {
  const reason = codeOf(cause) ?? 'refused';
  return new AppError(
    'STARTUP_FAILED',
    `${path} cannot be written (${reason}): set DATA_DIR to a directory that this user may write, or set DATABASE_URL.`,
    { cause },
  );
}
