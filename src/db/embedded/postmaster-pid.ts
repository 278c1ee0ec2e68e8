import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../../errors.js';
import { isAlive, isPostmasterOf } from './processes.js';

/** Where a server listens: the directory of a Unix socket, or an IP address. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

export type PostmasterStatus = 'starting' | 'ready' | 'stopping';

/**
 * What the pid file says about the server:
 * - `none`: no pid file, or one that a dead server left (PostgreSQL itself removes that when it starts);
 * - `foreign`: the id now belongs to another program;
 * - `running`: the server of this data directory. It has no address in the first moments of its start.
 */
export type Postmaster =
  | { readonly kind: 'none' }
  | { readonly kind: 'foreign'; readonly pid: number }
  | {
      readonly kind: 'running';
      readonly pid: number;
      readonly status: PostmasterStatus;
      readonly address: ServerAddress | undefined;
    };

/** Reads `postmaster.pid` and checks it against the processes that run. */
export function readPostmaster(clusterDir: string): Postmaster {
  const lines = readPidFile(clusterDir);
  const pid = Number.parseInt(lines[LINE.pid] ?? '', 10);
  if (!(pid > 0) || !isAlive(pid)) return { kind: 'none' };
  if (!isPostmasterOf(pid, clusterDir)) return { kind: 'foreign', pid };
  return { kind: 'running', pid, status: statusOf(lines), address: addressOf(lines) };
}

/** The lines of the file, as in PostgreSQL's `src/include/utils/pidfile.h` (there counted from one). */
const LINE = { pid: 0, port: 3, socketDir: 4, listenAddress: 5, status: 7 } as const;

function readPidFile(clusterDir: string): string[] {
  try {
    return readFileSync(join(clusterDir, 'postmaster.pid'), 'utf8').split('\n');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function statusOf(lines: readonly string[]): PostmasterStatus {
  const status = lines[LINE.status]?.trim();
  return status === 'ready' || status === 'stopping' ? status : 'starting';
}

function addressOf(lines: readonly string[]): ServerAddress | undefined {
  const port = Number.parseInt(lines[LINE.port] ?? '', 10);
  const host = lines[LINE.socketDir] || lines[LINE.listenAddress];
  return port > 0 && host ? { host, port } : undefined;
}
