import { isAllowed } from '../../access/permissions.js';
import type { GraphqlContext } from '../context.js';
import { WebhookObject } from '../types/webhook.js';

/**
 * A webhook as it is after a change of it, for the payload: nothing for who may change it but not read it. What was done
 * is done then, and the rest of the payload, such as a secret that is shown once, must still be answered.
 *
 * @param id a UUID.
 */
export async function changedWebhook(
  { loaders, principal }: GraphqlContext,
  id: string,
): Promise<{ readonly webhook?: WebhookObject }> {
  if (principal === undefined || !isAllowed(principal, 'webhooks:read')) return {};
  const view = await loaders.webhooks.clear(id).load(id);
  return view === undefined ? {} : { webhook: new WebhookObject(view) };
}
