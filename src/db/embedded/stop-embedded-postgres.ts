import { type AdminClient, otherGateways } from './admin.js';
import type { DataLayout } from './data-layout.js';
import { haltServer } from './halt.js';
import type { HeldConnection } from './held-connection.js';
import { type EmbeddedPostgresLimits, lockLimitMs } from './limits.js';
import { type ServerAddress, readPostmaster } from './postmaster-pid.js';
import { isAlive } from './processes.js';
import { takeStartupLock } from './startup-lock.js';

export interface StopOptions {
  readonly layout: DataLayout;
  readonly pgCtl: string;
  readonly limits: EmbeddedPostgresLimits;
  readonly log: (line: string) => void;
  readonly held: HeldConnection;
  readonly connect: (address: ServerAddress) => Promise<AdminClient>;
}

/**
 * Leaves the server, and stops it when no other gateway uses it. Under the startup lock nobody can join meanwhile, and
 * two that leave at once do so one after the other.
 */
export async function stopEmbeddedPostgres(options: StopOptions): Promise<void> {
  const { layout, pgCtl, limits, log, held } = options;
  const lock = await takeStartupLock(layout.lockFile, lockLimitMs(limits));
  try {
    await held.close();
    const server = readPostmaster(layout.clusterDir);
    if (server.kind !== 'running') return;
    const others = server.address === undefined ? [] : await askForOthers(server.address, options);
    if (others.length > 0) {
      log(`PostgreSQL keeps running for process ${others.join(', ')}`);
      return;
    }
    await haltServer({ pid: server.pid, pgCtl, clusterDir: layout.clusterDir }, limits);
  } finally {
    lock.release();
  }
}

/** A server that does not answer serves nobody else either. */
async function askForOthers(address: ServerAddress, { connect }: StopOptions): Promise<number[]> {
  let admin: AdminClient | undefined;
  try {
    admin = await connect(address);
    return await otherGateways(admin, isAlive);
  } catch {
    return [];
  } finally {
    await admin?.end().catch(() => undefined);
  }
}
