import { openStored } from '../app/stored.js';
import type { Config } from '../config.js';
import { createLogger } from '../lib/logger.js';

/** Brings the schema up to date and ends. `start` does the same; this is for a deployment that wants it apart. */
export async function migrateCommand(config: Config): Promise<number> {
  const stack = new AsyncDisposableStack();
  try {
    await openStored(stack, { config, log: createLogger(config.logLevel) });
    console.log('The schema is up to date.');
    return 0;
  } finally {
    await stack.disposeAsync();
  }
}
