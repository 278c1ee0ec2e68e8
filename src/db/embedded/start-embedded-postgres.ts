import { join } from 'node:path';
import { DATABASE, ROLE, connectAdmin, ensureDatabase } from './admin.js';
import { locateBinaries } from './binaries.js';
import { type RunningServer, bringUp } from './bring-up.js';
import { initCluster, inspectCluster } from './cluster.js';
import { type DataLayout, prepareDataDir } from './data-layout.js';
import { haltServer } from './halt.js';
import { HeldConnection } from './held-connection.js';
import { DEFAULT_LIMITS, type EmbeddedPostgresLimits, lockLimitMs } from './limits.js';
import { readOrCreatePassword } from './password.js';
import { isAlive } from './processes.js';
import { type RunAs, chooseRunAs } from './run-as.js';
import { connectionUrl } from './server-address.js';
import { takeStartupLock } from './startup-lock.js';
import { stopEmbeddedPostgres } from './stop-embedded-postgres.js';

export interface EmbeddedPostgresOptions {
  /** Workhook's data directory; the cluster goes into `postgres` in it. It is made when it is missing. */
  readonly dataDir: string;
  /** Gets a line for each thing worth telling; never a secret. */
  readonly log: (line: string) => void;
  /** Called once when the server ends although nobody called `stop`. Code and signal are null when it was not our child. */
  readonly onExit?: (info: { code: number | null; signal: string | null }) => void;
  readonly limits?: Partial<EmbeddedPostgresLimits>;
}

export interface EmbeddedPostgres {
  /** A connection URL with the password, for `pg` and MikroORM: never print it. The database `workhook` exists. */
  readonly url: string;
  /** Another gateway started the server, or one that was killed left it. */
  readonly reused: boolean;
  /** The cluster was made now. */
  readonly fresh: boolean;
  /** Ends the server unless another gateway uses it; resolves when its process is gone. Close every pool before. */
  stop(): Promise<void>;
}

/**
 * Starts, or joins, the PostgreSQL of a data directory: docs/adr/0005-embedded-postgresql.md says why there is one. Every gateway that uses it
 * calls its connections `workhook:<pid>`.
 *
 * @throws AppError STARTUP_FAILED with one sentence that says what to do.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const layout = await prepareDataDir(options.dataDir);
  const lock = await takeStartupLock(layout.lockFile, lockLimitMs(limits), () =>
    options.log('waiting for another Workhook process that starts or stops PostgreSQL'),
  );
  try {
    return await startLocked(layout, limits, options);
  } finally {
    lock.release();
  }
}

async function startLocked(
  layout: DataLayout,
  limits: EmbeddedPostgresLimits,
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const { log } = options;
  const binaries = locateBinaries();
  const clusterOwner = await inspectCluster(layout.clusterDir, binaries.major);
  const fresh = clusterOwner === undefined;
  const password = await readOrCreatePassword(layout.passwordFile, !fresh);
  let chosen: Promise<RunAs> | undefined;
  const runAs = (): Promise<RunAs> =>
    (chosen ??= chooseRunAs(clusterOwner, {
      enter: [layout.dataDir],
      read: [join(binaries.root, 'lib'), join(binaries.root, 'share')],
      execute: [binaries.initdb, binaries.postgres],
    }));
  if (fresh) await initCluster(layout, binaries, await runAs(), password);

  const server = await bringUp({ layout, binaries, password, limits, log, runAs });
  try {
    await ensureDatabase(server.admin, password);
  } catch (error) {
    await abandon(server, { pgCtl: binaries.pgCtl, clusterDir: layout.clusterDir }, limits);
    throw error;
  }

  let stopped: Promise<void> | undefined;
  const tellExit = (code: number | null, signal: string | null): void => {
    if (stopped === undefined) options.onExit?.({ code, signal });
  };
  server.launched?.onExit((exit) => tellExit(exit.code, exit.signal));
  const held = new HeldConnection({
    client: server.admin,
    connect: () => connectAdmin(server.address, password, limits.connectMs),
    serverLives: () => isAlive(server.pid),
    onGone: () => {
      if (server.launched === undefined) tellExit(null, null);
    },
  });
  return {
    url: connectionUrl(server.address, ROLE, password, DATABASE),
    reused: server.launched === undefined,
    fresh,
    stop: () =>
      (stopped ??= stopEmbeddedPostgres({
        layout,
        pgCtl: binaries.pgCtl,
        limits,
        log,
        held,
        connect: (address) => connectAdmin(address, password, limits.connectMs),
      })),
  };
}

/** Leaves a server that could not be set up as it was found. */
async function abandon(
  { admin, launched }: RunningServer,
  paths: { pgCtl: string; clusterDir: string },
  limits: EmbeddedPostgresLimits,
): Promise<void> {
  await admin.end().catch(() => undefined);
  if (launched !== undefined) await haltServer({ ...paths, pid: launched.pid }, limits);
}
