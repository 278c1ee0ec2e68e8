import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { AppError, messageOf } from '../../errors.js';
import { type AdminClient, connectAdmin } from './admin.js';
import type { PostgresBinaries } from './binaries.js';
import type { DataLayout } from './data-layout.js';
import { haltServer } from './halt.js';
import { type LaunchedServer, launchServer } from './launch.js';
import type { EmbeddedPostgresLimits } from './limits.js';
import { type PostmasterStatus, type ServerAddress, readPostmaster } from './postmaster-pid.js';
import { isAlive } from './processes.js';
import type { RunAs } from './run-as.js';
import { chooseAddress } from './server-address.js';
import { openServerLog } from './server-log.js';
import { serverArguments } from './server-settings.js';

export interface BringUpOptions {
  readonly layout: DataLayout;
  readonly binaries: PostgresBinaries;
  readonly password: string;
  readonly limits: EmbeddedPostgresLimits;
  readonly log: (line: string) => void;
  /** Asked for only when a server must be started. */
  readonly runAs: () => Promise<RunAs>;
}

/** A server that accepts connections, with one to it. */
export interface RunningServer {
  readonly pid: number;
  readonly address: ServerAddress;
  readonly admin: AdminClient;
  /** Undefined when it ran before. */
  readonly launched: LaunchedServer | undefined;
}

/**
 * Joins the server that runs for this data directory, waiting while it starts or recovers; otherwise starts one. One
 * that runs without answering is stopped first. The caller holds the startup lock.
 *
 * @throws AppError STARTUP_FAILED with the last lines of the server's log when it does not start.
 */
export async function bringUp(options: BringUpOptions): Promise<RunningServer> {
  const { layout, limits, log } = options;
  const endMs = performance.now() + limits.startMs;
  for (;;) {
    const found = readPostmaster(layout.clusterDir);
    if (found.kind === 'running') {
      const joined = await connectWhenReady(found.pid, () => isAlive(found.pid), options);
      if (joined !== undefined) return { ...joined, pid: found.pid, launched: undefined };
      if (isAlive(found.pid)) {
        log(`PostgreSQL (process ${found.pid}) does not answer and is stopped`);
        await haltServer({ ...haltPaths(options), pid: found.pid }, limits, 'immediate');
      }
    } else {
      const started = await startOne(options, found.kind === 'foreign' ? found.pid : undefined);
      if (started !== undefined) return started;
    }
    if (performance.now() > endMs) {
      throw new AppError('STARTUP_FAILED', `PostgreSQL does not start: see ${layout.logFile}.`);
    }
    await delay(100);
  }
}

/**
 * What passes by itself: a server that a killed gateway had just started takes the pid file first, or the processes of
 * a killed server have not ended yet.
 */
const PASSING = /lock file "postmaster\.pid" already exists|pre-existing shared memory block/;

async function startOne(options: BringUpOptions, stalePid: number | undefined): Promise<RunningServer | undefined> {
  const { layout, binaries, limits } = options;
  const runAs = await options.runAs();
  const address = await chooseAddress(layout, runAs);
  const log = openServerLog(layout.logFile);
  try {
    const command = runAs.command(binaries.postgres, serverArguments(layout.clusterDir, address));
    const launched = await launchServer(command, log, stalePid);
    try {
      const joined = await connectWhenReady(launched.pid, () => launched.exit() === undefined, options);
      if (joined !== undefined) return { ...joined, pid: launched.pid, launched };
    } catch (error) {
      await haltServer({ ...haltPaths(options), pid: launched.pid }, limits);
      throw error;
    }
    const ended = launched.exit() !== undefined;
    if (!ended) await haltServer({ ...haltPaths(options), pid: launched.pid }, limits, 'immediate');
    const tail = log.tail();
    if (ended && PASSING.test(tail)) return undefined;
    throw new AppError(
      'STARTUP_FAILED',
      `PostgreSQL ${ended ? 'ended while it started' : 'did not start in time'}: ${tail === '' ? `see ${layout.logFile}` : tail}`,
    );
  } finally {
    log.close();
  }
}

function haltPaths({ layout, binaries }: BringUpOptions): { pgCtl: string; clusterDir: string } {
  return { pgCtl: binaries.pgCtl, clusterDir: layout.clusterDir };
}

/** After this long a start is worth a line. */
const SLOW_START_MS = 2_000;

/**
 * Waits until a server accepts a connection.
 *
 * @returns undefined when it ended, or stayed in one state longer than the limit of that state.
 */
async function connectWhenReady(
  pid: number,
  lives: () => boolean,
  { layout, password, limits, log }: BringUpOptions,
): Promise<{ admin: AdminClient; address: ServerAddress } | undefined> {
  const limitsMs = { starting: limits.startMs, ready: limits.connectMs, stopping: limits.stopMs };
  const beginMs = performance.now();
  let status: PostmasterStatus | undefined;
  let sinceMs = beginMs;
  let told = false;
  while (lives()) {
    const found = readPostmaster(layout.clusterDir);
    // A server that has just been started has not written its pid file yet.
    const [now, address] =
      found.kind === 'running' && found.pid === pid ? [found.status, found.address] : ['starting' as const];
    const nowMs = performance.now();
    if (now !== status) [status, sinceMs] = [now, nowMs];
    if (now === 'ready' && address !== undefined) {
      const admin = await tryConnect(address, password, limits.connectMs);
      if (admin !== undefined) return { admin, address };
    }
    if (performance.now() - sinceMs > limitsMs[now]) return undefined;
    if (!told && nowMs - beginMs > SLOW_START_MS) {
      told = true;
      log(`waiting for PostgreSQL, which is ${now} (after a crash it recovers first)`);
    }
    await delay(10);
  }
  return undefined;
}

/** PostgreSQL's codes for "starting up" and "shutting down": https://www.postgresql.org/docs/18/errcodes-appendix.html */
const NOT_NOW = new Set(['57P01', '57P02', '57P03']);

/**
 * @returns undefined when nobody answers.
 * @throws AppError STARTUP_FAILED when the server answers with a refusal that waiting does not change.
 */
async function tryConnect(address: ServerAddress, password: string, limitMs: number): Promise<AdminClient | undefined> {
  try {
    return await connectAdmin(address, password, limitMs);
  } catch (cause) {
    if (!(cause instanceof pg.DatabaseError) || NOT_NOW.has(cause.code ?? '')) return undefined;
    throw new AppError('STARTUP_FAILED', `The embedded PostgreSQL refuses the gateway: ${messageOf(cause)}.`, {
      cause,
    });
  }
}
