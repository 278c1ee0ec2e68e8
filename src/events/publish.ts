import type { EntityManager } from '@mikro-orm/postgresql';
import type { DomainEvent } from './event.js';
import { CHANNEL, encodeEvents } from './wire.js';

/**
 * Publishes with the transaction that `em` is in: heard after its COMMIT, or never. The hot statements (accept,
 * lease, finish) do the same inside their own SQL with {@link encodeEvents}.
 */
export async function publish(em: Pick<EntityManager, 'execute'>, events: readonly DomainEvent[]): Promise<void> {
  for (const payload of encodeEvents(events)) {
    await em.execute('select pg_notify(?, ?)', [CHANNEL, payload]);
  }
}
