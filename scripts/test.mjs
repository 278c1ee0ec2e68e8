import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { constants } from 'node:os';

/**
 * Runs Jest with this process's arguments and its exit code. The options go to Jest and its workers by way of
 * the command line, not NODE_OPTIONS, so that a gateway that a test starts runs with Node's defaults.
 */
const NODE_OPTIONS = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];

const jest = createRequire(import.meta.url).resolve('jest/bin/jest');
const child = spawn(process.execPath, [...NODE_OPTIONS, jest, ...process.argv.slice(2)], {
  stdio: 'inherit',
});

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  // Jest stops its database first; this process ends after it, with its code.
  process.on(signal, () => child.kill(signal));
}
child.on('close', (code, signal) => {
  process.exit(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
});
