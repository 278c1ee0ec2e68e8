import { createOwnerLink } from '../access/login-links.js';
import { ensureOwner } from '../access/owner.js';
import { openStored } from '../app/stored.js';
import type { Config } from '../config.js';
import { createLogger } from '../lib/logger.js';
import { systemClock } from '../lib/clock.js';

/** Makes a one-time login link for the owner and prints it. */
export async function loginCommand(config: Config): Promise<number> {
  const stack = new AsyncDisposableStack();
  try {
    const { database } = await openStored(stack, { config, log: createLogger('warn') });
    const { ownerId } = await ensureOwner({ database, clock: systemClock }, config.adminToken);
    const base = config.publicUrl ?? `http://${config.host}:${config.port}`;
    console.log(`${base}/login?token=${await createOwnerLink(database, ownerId, 'command-line')}`);
    return 0;
  } finally {
    await stack.disposeAsync();
  }
}
