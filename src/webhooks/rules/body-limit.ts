import { parseWebhookId } from '../parse-webhook-id.js';
import type { WebhookCache } from '../webhook-cache.js';

export interface BodyLimitOptions {
  readonly webhooks: WebhookCache;
  /** For webhooks that do not say, and for those that are not there, in bytes. */
  readonly bodyBytesMax: number;
  /** What no webhook's own limit exceeds, though it was saved when this was higher. */
  readonly bodyBytesCeiling: number;
}

/**
 * The largest body that may come to a webhook, in bytes.
 *
 * @param webhookId as it stood in the URL.
 * @param isRefusal the caller is about to be refused because of it: what was read a while ago is read again.
 */
export type BodyLimit = (webhookId: string, isRefusal?: boolean) => number | Promise<number>;

/** A cached webhook that is older than this is read again before a body is refused because of it. */
const REFUSE_BY_MS_MAX = 1_000;

/**
 * Asks webhooks for their limits, before a byte of a body is read. No turn of the event loop for a webhook that is
 * cached; one that is read here is cached when its call is accepted.
 */
export function bodyLimit({ webhooks, bodyBytesMax, bodyBytesCeiling }: BodyLimitOptions): BodyLimit {
  const limitOf = (own: number | undefined): number =>
    own === undefined ? bodyBytesMax : Math.min(own, bodyBytesCeiling);
  return (webhookId, isRefusal = false) => {
    const id = parseWebhookId(webhookId);
    if (id === undefined) return bodyBytesMax;
    if (isRefusal && webhooks.isOlderThan(id, REFUSE_BY_MS_MAX)) webhooks.drop(id);
    const known = webhooks.peek(id);
    if (known !== undefined) return limitOf(known.webhook?.rules.bodyBytesMax);
    return webhooks.get(id).then(
      (webhook) => limitOf(webhook?.rules.bodyBytesMax),
      () => bodyBytesMax, // whoever accepts the call finds out why, and says it
    );
  };
}
