import { formatId } from '../lib/ids.js';

/** The path of a webhook's URL. @param webhookId a UUID. */
export function webhookPath(webhookId: string): string {
  return `/api/v1/webhooks/${formatId('webhook', webhookId)}`;
}
