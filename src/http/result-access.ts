import type { PresentedCredentials } from '../access/authenticate.js';
import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import { AppError } from '../errors.js';
import type { ReadingRequest } from '../webhooks/verify-reader.js';
import type { LinkSigner } from './signed-link.js';
import type { HttpContext } from './state.js';

/** Who presents these credentials; `undefined` when they are nobody's (any more). */
export type Authenticate = (presented: PresentedCredentials) => Promise<Principal | undefined>;

export interface ResultAccessOptions {
  readonly links: LinkSigner;
  readonly authenticate: Authenticate;
  /**
   * Whether a request carries the webhook's own secret, by one of the methods that send the secret itself, and comes
   * from where its calls may come. A signature does not count: there is no body to sign.
   *
   * @param webhookId a UUID.
   */
  readonly verifyWebhookCredential: (webhookId: string, request: ReadingRequest) => Promise<boolean>;
}

/** Whether the caller may read something that belongs to a webhook (a UUID). */
export type MayRead = (webhookId: string) => Promise<boolean>;

/**
 * Finds out what the caller may read: all, with an API token or a session that may read executions and calls; one
 * resource, with the signed link to it; what belongs to one webhook, with that webhook's secret. Whoever presents
 * nothing that opens the door is told the same whether there is something behind it.
 *
 * @param path the resource's own path, which is what links are signed for, on whatever route it is asked for.
 * @throws AppError FORBIDDEN for a principal without one of the permissions; what is returned, UNAUTHENTICATED for a
 * link that has expired.
 */
export async function mayRead(options: ResultAccessOptions, ctx: HttpContext, path: string): Promise<MayRead> {
  const link = options.links.check(path, ctx.query['expires'], ctx.query['signature']);
  if (link === 'valid') return () => Promise.resolve(true);

  const { authorization, cookie } = ctx.headers;
  const principal = await options.authenticate({ authorization, cookie });
  if (principal !== undefined) {
    requirePermission(principal, 'executions:read');
    // A result shows its call too: the body that came, the outcome. GraphQL asks the same for these.
    requirePermission(principal, 'calls:read');
    return () => Promise.resolve(true);
  }
  const { rawHeaders } = ctx.req;
  return async (webhookId) => {
    if (await options.verifyWebhookCredential(webhookId, { ...ctx.state, rawHeaders })) return true;
    // It was signed by us, so what it names is no secret; whoever has another key to the door needs no link.
    if (link === 'expired') throw new AppError('UNAUTHENTICATED', 'This link has expired.');
    return false;
  };
}
