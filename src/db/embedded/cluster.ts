import { execFile } from 'node:child_process';
import type { Stats } from 'node:fs';
import { mkdtemp, open, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AppError, codeOf } from '../../errors.js';
import type { PostgresBinaries } from './binaries.js';
import { type DataLayout, notWritable } from './data-layout.js';
import type { RunAs } from './run-as.js';
import { serverEnvironment } from './server-environment.js';
import { lastLines } from './server-log.js';
import type { UnixUser } from './unix-access.js';

const run = promisify(execFile);

/** The role that makes and stops things; the gateway's own work is done as a role with fewer rights. */
export const SUPERUSER = 'postgres';

const PART_PREFIX = 'postgres.init-';

/**
 * Looks at an existing cluster.
 *
 * @returns its owner, or undefined when there is none yet.
 * @throws AppError STARTUP_FAILED when something else is in its place, it is of another major version of PostgreSQL, or
 *   it belongs to another user.
 */
export async function inspectCluster(clusterDir: string, major: number): Promise<UnixUser | undefined> {
  const stats = await statIfThere(clusterDir);
  if (stats === undefined) return undefined;
  const { uid, gid } = stats;
  const ownUid = process.getuid?.();
  if (ownUid !== undefined && ownUid !== 0 && uid !== ownUid) {
    throw new AppError(
      'STARTUP_FAILED',
      `The embedded database in ${clusterDir} belongs to the user with id ${uid}: start Workhook as that user or as root, or set DATA_DIR to another directory.`,
    );
  }
  const version = stats.isDirectory() ? await readVersion(clusterDir) : undefined;
  if (version === undefined) {
    throw new AppError(
      'STARTUP_FAILED',
      `${clusterDir} is not a PostgreSQL data directory: move it away, or set DATA_DIR to another directory.`,
    );
  }
  if (version !== String(major)) {
    throw new AppError(
      'STARTUP_FAILED',
      `The embedded database in ${clusterDir} is of PostgreSQL ${version}, and this Workhook brings PostgreSQL ${major}: dump it with the Workhook that made it (or any PostgreSQL ${version}) and restore it into an empty DATA_DIR, or serve it yourself and set DATABASE_URL.`,
    );
  }
  if (uid === 0 && ownUid === 0) {
    throw new AppError(
      'STARTUP_FAILED',
      `The embedded database in ${clusterDir} belongs to root, which PostgreSQL refuses: give it to the user that runs it, such as with "chown -R postgres:".`,
    );
  }
  return { uid, gid };
}

async function statIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw notWritable(path, error);
  }
}

async function readVersion(clusterDir: string): Promise<string | undefined> {
  try {
    return (await readFile(join(clusterDir, 'PG_VERSION'), 'utf8')).trim();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw notWritable(clusterDir, error);
  }
}

/**
 * Makes a new cluster, whole or not at all: `initdb` works in a directory of another name, which takes its own name
 * only when everything is on disk. Data checksums are on by default since PostgreSQL 18.
 *
 * The locale is PostgreSQL's own C.UTF-8: the same order on every machine, and no index breaks when the system's
 * libraries change (https://www.postgresql.org/docs/18/locale.html#LOCALE-PROVIDERS).
 */
export async function initCluster(
  layout: DataLayout,
  binaries: PostgresBinaries,
  runAs: RunAs,
  password: string,
): Promise<void> {
  await removeLeftovers(layout.dataDir);
  const part = await mkdtemp(join(layout.dataDir, PART_PREFIX));
  const passwordFile = `${part}.pw`;
  try {
    await writeFile(passwordFile, password, { mode: 0o600, flag: 'wx' });
    await Promise.all([runAs.own(part), runAs.own(passwordFile)]);
    const { file, args, options } = runAs.command(binaries.initdb, [
      `--pgdata=${part}`,
      `--username=${SUPERUSER}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--no-locale',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--no-instructions',
    ]);
    await run(file, args, { ...options, cwd: '/', env: serverEnvironment() });
    await rename(part, layout.clusterDir);
    await syncDirectory(layout.dataDir);
  } catch (cause) {
    await rm(part, { recursive: true, force: true });
    throw new AppError('STARTUP_FAILED', `The embedded database could not be created: ${reasonOf(cause)}`, {
      cause,
    });
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/** What a start that was killed in the middle left behind. */
async function removeLeftovers(dataDir: string): Promise<void> {
  const names = (await readdir(dataDir)).filter((name) => name.startsWith(PART_PREFIX));
  await Promise.all(names.map((name) => rm(join(dataDir, name), { recursive: true, force: true, maxRetries: 3 })));
}

function reasonOf(error: unknown): string {
  const { stderr, message } = error as { stderr?: unknown; message?: unknown };
  return lastLines(typeof stderr === 'string' && stderr !== '' ? stderr : String(message));
}

/** Makes a rename survive a power cut. Windows has no such call. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
