import { verifyAudit } from '../access/audit.js';
import { openStored } from '../app/stored.js';
import type { Config } from '../config.js';
import { createLogger } from '../lib/logger.js';

/** Recomputes the audit log's chain and says whether it is whole. Exit code 1 when it is not. */
export async function auditCommand(config: Config): Promise<number> {
  const stack = new AsyncDisposableStack();
  try {
    const { database } = await openStored(stack, { config, log: createLogger('warn') });
    const verdict = await verifyAudit(database.pool);
    if (!verdict.intact) {
      console.error(`The audit log was changed: event ${verdict.seq} does not fit the chain.`);
      return 1;
    }
    console.log(`The audit log is whole: ${verdict.events} events. The newest has the hash ${verdict.newestHash}.`);
    console.log('Keep this line elsewhere: a log that was cut at its end is whole, too, but has another hash there.');
    return 0;
  } finally {
    await stack.disposeAsync();
  }
}
