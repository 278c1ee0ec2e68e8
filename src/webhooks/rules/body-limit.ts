import { parseWebhookId } from '../parse-webhook-id.js';
import type { IngressWebhook } from '../read-ingress-webhooks.js';
import type { WebhookCache } from '../webhook-cache.js';

export interface BodyLimits {
  /** For webhooks that do not say, and for those that are not there, in bytes. */
  readonly bodyBytesMax: number;
  /** What no webhook's own limit exceeds, though it was saved when this was higher. */
  readonly bodyBytesCeiling: number;
}

export interface BodyLimitOptions extends BodyLimits {
  readonly webhooks: Pick<WebhookCache, 'get' | 'newest' | 'peek'>;
}

/**
 * The largest body that may come to a webhook, in bytes.
 *
 * @param webhookId as it stood in the URL.
 * @param refusingSinceMs a caller who came then (monotonic milliseconds) is about to be refused because of it: the
 *   limit has all that was committed before, or the promise rejects.
 */
export type BodyLimit = (webhookId: string, refusingSinceMs?: number) => number | Promise<number>;

/** The largest body that a webhook takes, in bytes; `undefined` for one that is not there. */
export function bodyBytesMaxOf(
  { bodyBytesMax, bodyBytesCeiling }: BodyLimits,
  webhook: Pick<IngressWebhook, 'rules'> | undefined,
): number {
  const own = webhook?.rules.bodyBytesMax;
  return own === undefined ? bodyBytesMax : Math.min(own, bodyBytesCeiling);
}

/**
 * Asks webhooks for their limits, before a byte of a body is read. No turn of the event loop for a webhook that is
 * cached; one that is read here is cached when its call is accepted.
 */
export function bodyLimit(options: BodyLimitOptions): BodyLimit {
  const { webhooks, bodyBytesMax } = options;
  return (webhookId, refusingSinceMs) => {
    const id = parseWebhookId(webhookId);
    if (id === undefined) return bodyBytesMax;
    if (refusingSinceMs !== undefined)
      return webhooks.newest(id, refusingSinceMs).then((webhook) => bodyBytesMaxOf(options, webhook));
    const known = webhooks.peek(id);
    if (known !== undefined) return bodyBytesMaxOf(options, known.webhook);
    return webhooks.get(id).then(
      (webhook) => bodyBytesMaxOf(options, webhook),
      () => bodyBytesMax, // whoever accepts the call finds out why, and says it
    );
  };
}
