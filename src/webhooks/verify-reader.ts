import type { Clock } from '../lib/clock.js';
import { verifyCredential } from './verify/verify-credential.js';
import type { WebhookCache } from './webhook-cache.js';

const NO_BODY = new Uint8Array(0);

/**
 * Whether a request for results carries its webhook's own credential. Only the methods that send the secret itself can
 * prove anything without a body; an HMAC sender follows the signed link of its 202 instead.
 *
 * @param webhookId a UUID.
 */
export async function verifyReader(
  options: { readonly webhooks: WebhookCache; readonly clock: Clock },
  webhookId: string,
  rawHeaders: readonly string[],
): Promise<boolean> {
  const webhook = await options.webhooks.get(webhookId);
  if (webhook === undefined) return false;
  const { method } = webhook.authentication;
  if (method === 'HMAC_SIGNATURE' || method === 'PROVIDER') return false;
  return verifyCredential(webhook.authentication, webhook.secrets, rawHeaders, NO_BODY, options.clock.nowMs()).verified;
}
