import { startApp } from '../app/start-app.js';
import type { Config } from '../config.js';
import { createLogger } from '../lib/logger.js';
import { resolveForOperatorModules } from '../workers/code/module-resolution.js';

/** 128 and the signal's number, as shells count it. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * A second signal within this time is the first one once more: npm passes on the Ctrl-C that the terminal has already
 * sent to every process.
 */
const SAME_SIGNAL_MS = 1_000;

/**
 * Runs the gateway until SIGINT or SIGTERM, then drains. A second signal ends the process at once; what was accepted is
 * stored either way.
 *
 * @returns the exit code: 0 after a signal, 1 when the process could not go on.
 */
export async function startCommand(config: Config): Promise<number> {
  const log = createLogger(config.logLevel);
  resolveForOperatorModules();
  const stopped = Promise.withResolvers<number>();
  let stoppingSinceMs: number | undefined;
  const stop = (exitCode: number): void => {
    stoppingSinceMs ??= performance.now();
    stopped.resolve(exitCode);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stoppingSinceMs === undefined) {
        log.info({ signal }, 'stopping');
        stop(0);
      } else if (performance.now() - stoppingSinceMs > SAME_SIGNAL_MS) {
        process.exit(EXIT_CODES[signal]);
      }
    });
  }
  const app = await startApp({ config, log, onFatal: () => stop(1) });
  if (stoppingSinceMs === undefined) console.log(app.welcome);
  const exitCode = await stopped.promise;
  await app.close();
  log.info('stopped');
  return exitCode;
}
