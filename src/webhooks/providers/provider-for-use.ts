import type { EntityManager } from '@mikro-orm/postgresql';
import { parseId } from '../../lib/ids.js';
import type { Provider } from '../verify/provider/provider.js';
import { type OwnProviderRow, senderOf } from './stored-provider.js';

/**
 * Finds the provider that a webhook is to have, and holds a user's own one until the end of the transaction: it is
 * neither changed nor deleted while the webhook begins to use it. Call it before a webhook is locked, for whoever
 * changes a provider locks its webhooks after it.
 *
 * @param id as the user gave it: built-in, or `provider-…`.
 */
export async function providerForUse(em: EntityManager, id: string | null | undefined): Promise<Provider | undefined> {
  if (id === null || id === undefined) return undefined;
  if (parseId('provider', id) === undefined) return senderOf(id, null);
  const [own] = await em.execute<OwnProviderRow[]>(
    'select id, name, definition from providers where id = ? for share',
    [id],
  );
  return senderOf(id, own ?? null);
}
