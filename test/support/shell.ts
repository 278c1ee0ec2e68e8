import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Runs a script as a reader of the pages would: in a shell, which sees `PATH` and what it is given.
 *
 * @returns what it printed.
 * @throws Error with its standard error, when one of its commands fails.
 */
export async function runScript(script: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { stdout } = await run('sh', ['-ec', script], { env: { PATH: process.env['PATH'], ...env }, timeout: 60_000 });
  return stdout;
}
