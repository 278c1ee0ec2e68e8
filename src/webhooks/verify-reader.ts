import type { Clock } from '../lib/clock.js';
import { barredBy, type Caller } from './rules/barred-by.js';
import { verifyCredential } from './verify/verify-credential.js';
import type { WebhookCache } from './webhook-cache.js';

const NO_BODY = new Uint8Array(0);

/** What is looked at of a request for results. */
export interface ReadingRequest extends Caller {
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
}

/**
 * Whether a request for results carries its webhook's own credential. Only the methods that send the secret itself can
 * prove anything without a body; an HMAC sender follows the signed link of its 202 instead.
 * A secret is worth nothing here from where its calls may not come.
 *
 * @param webhookId a UUID.
 */
export async function verifyReader(
  options: { readonly webhooks: Pick<WebhookCache, 'newest'>; readonly clock: Clock },
  webhookId: string,
  request: ReadingRequest,
): Promise<boolean> {
  const webhook = await options.webhooks.newest(webhookId, options.clock.monotonicMs()); // no commit proves a reader
  if (webhook === undefined || barredBy(webhook, request) !== undefined) return false;
  const { method } = webhook.authentication;
  if (method === 'HMAC_SIGNATURE' || method === 'PROVIDER') return false;
  return verifyCredential(webhook.authentication, webhook.secrets, request.rawHeaders, NO_BODY, options.clock.nowMs())
    .verified;
}
