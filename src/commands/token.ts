import { createApiToken } from '../access/api-tokens.js';
import { ensureOwner } from '../access/owner.js';
import { systemPrincipal } from '../access/principal.js';
import { systemClock } from '../lib/clock.js';
import { AppError } from '../errors.js';
import { openStored } from '../app/stored.js';
import type { Config } from '../config.js';
import { createLogger } from '../lib/logger.js';

/** Makes an API token for the owner and prints it: the only time that it can be seen. */
export async function tokenCommand(config: Config, name = 'command line'): Promise<number> {
  const stack = new AsyncDisposableStack();
  const clock = systemClock;
  try {
    const { database } = await openStored(stack, { config, log: createLogger('warn') });
    const { ownerId } = await ensureOwner({ database, clock }, config.adminToken);
    const created = await createApiToken({ database, clock }, systemPrincipal(ownerId, 'command-line'), { name });
    if (!created.ok) throw new AppError('BAD_USER_INPUT', created.userErrors.map((error) => error.message).join(' '));
    console.log(created.value.token);
    return 0;
  } finally {
    await stack.disposeAsync();
  }
}
