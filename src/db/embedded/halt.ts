import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { EmbeddedPostgresLimits } from './limits.js';
import { poll } from './poll.js';
import { isAlive, signal } from './processes.js';

const run = promisify(execFile);

/** A server to stop, and on Windows the program and directory that it takes. */
export interface HaltTarget {
  readonly pid: number;
  readonly pgCtl: string;
  readonly clusterDir: string;
}

/**
 * Stops a server: first in order (a fast shutdown breaks connections and writes a checkpoint), then at once (the next
 * start recovers), then by force. The signals are PostgreSQL's: https://www.postgresql.org/docs/18/server-shutdown.html
 *
 * @param first where to begin; a hung server is not asked for a checkpoint.
 */
export async function haltServer(
  target: HaltTarget,
  limits: EmbeddedPostgresLimits,
  first: 'fast' | 'immediate' = 'fast',
): Promise<void> {
  if (first === 'fast' && (await haltBy('fast', target, limits.stopMs))) return;
  if (await haltBy('immediate', target, limits.quitMs)) return;
  signal(target.pid, 'SIGKILL');
  await gone(target.pid, limits.quitMs);
}

const SIGNALS = { fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

async function haltBy(mode: keyof typeof SIGNALS, target: HaltTarget, limitMs: number): Promise<boolean> {
  if (process.platform === 'win32') {
    // Windows has no signals: a kill there would be the end by force.
    await run(target.pgCtl, ['stop', '-D', target.clusterDir, '-m', mode, '-W']).catch(() => undefined);
  } else {
    signal(target.pid, SIGNALS[mode]);
  }
  return gone(target.pid, limitMs);
}

async function gone(pid: number, limitMs: number): Promise<boolean> {
  return (await poll(() => (isAlive(pid) ? undefined : true), limitMs)) === true;
}
