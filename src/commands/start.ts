import { startApp } from '../app/start-app.js';
import type { Config } from '../config.js';
import { createLogger } from '../lib/logger.js';
import { resolveForOperatorModules } from '../workers/code/module-resolution.js';

/** 128 and the signal's number, as shells count it. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

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
  let stopping = false;
  const stop = (exitCode: number): void => {
    stopping = true;
    stopped.resolve(exitCode);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(EXIT_CODES[signal]);
      log.info({ signal }, 'stopping');
      stop(0);
    });
  }
  const app = await startApp({ config, log, onFatal: () => stop(1) });
  if (!stopping) console.log(app.welcome);
  const exitCode = await stopped.promise;
  await app.close();
  log.info('stopped');
  return exitCode;
}
