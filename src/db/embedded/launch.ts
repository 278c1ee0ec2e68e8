import { type ChildProcess, spawn } from 'node:child_process';
import { AppError } from '../../errors.js';
import type { ServerLog } from './server-log.js';
import type { Command } from './run-as.js';
import { serverEnvironment } from './server-environment.js';

/** A server that this process started. */
export interface LaunchedServer {
  readonly pid: number;
  /** Set once it ended. */
  exit(): ServerExit | undefined;
  /** Called when it ends, at once if it did already. */
  onExit(listener: (exit: ServerExit) => void): void;
}

export interface ServerExit {
  readonly code: number | null;
  readonly signal: string | null;
}

/**
 * Starts the server in a session of its own: a Ctrl-C in the terminal then reaches only the gateway, which still needs
 * its database to drain. The child does not keep our event loop running.
 *
 * @throws AppError STARTUP_FAILED when the program cannot be executed.
 */
export async function launchServer(command: Command, log: ServerLog, stalePid?: number): Promise<LaunchedServer> {
  const child = spawn(command.file, command.args, {
    ...command.options,
    cwd: '/',
    detached: true,
    env: serverEnvironment(stalePid),
    stdio: ['ignore', log.fd, log.fd],
    windowsHide: true,
  });
  child.unref();
  const pid = await spawned(child, command.file);
  let exit: ServerExit | undefined;
  const listeners: ((exit: ServerExit) => void)[] = [];
  child.once('exit', (code, signal) => {
    exit = { code, signal };
    for (const listener of listeners) listener(exit);
  });
  return {
    pid,
    exit: () => exit,
    onExit: (listener) => {
      if (exit === undefined) listeners.push(listener);
      else listener(exit);
    },
  };
}

function spawned(child: ChildProcess, file: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('spawn', () => resolve(child.pid ?? 0));
    child.once('error', (cause) => {
      reject(
        new AppError('STARTUP_FAILED', `PostgreSQL could not be started (${file}): ${cause.message}`, {
          cause,
        }),
      );
    });
  });
}
