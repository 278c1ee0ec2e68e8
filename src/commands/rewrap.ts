import { recordAudit } from '../access/audit.js';
import { ensureOwner } from '../access/owner.js';
import { systemPrincipal } from '../access/principal.js';
import { SEALED_PLACES } from '../app/sealed-places.js';
import { openStored } from '../app/stored.js';
import type { Config } from '../config.js';
import { systemClock } from '../lib/clock.js';
import { createLogger } from '../lib/logger.js';
import { rewrap } from '../secrets/rewrap.js';

/** Puts every stored secret under the first of the encryption keys, and says which other keys are free to go. */
export async function rewrapCommand(config: Config): Promise<number> {
  const stack = new AsyncDisposableStack();
  try {
    const { database, keyring } = await openStored(stack, { config, log: createLogger('warn') });
    const { rewrapped, total, retired } = await rewrap(database.pool, keyring, SEALED_PLACES);
    const { ownerId } = await ensureOwner({ database, clock: systemClock }, config.adminToken);
    await database.transaction((em) =>
      recordAudit(em, systemPrincipal(ownerId, 'command-line'), {
        action: 'encryption-keys.rewrapped',
        subjectId: null,
        details: { key: keyring.keyIds[0]!, rewrapped, retired },
      }),
    );
    console.log(
      `${total} sealed texts are under the key "${keyring.keyIds[0]}"; ${rewrapped} of them were not before.`,
    );
    for (const id of retired) console.log(`The key "${id}" seals nothing any more: take it out of the settings.`);
    return 0;
  } finally {
    await stack.disposeAsync();
  }
}
