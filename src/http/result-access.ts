import type { Principal } from '../access/principal.js';
import { AppError } from '../errors.js';
import type { LinkSigner } from './signed-link.js';
import { sessionTokenIn } from './session-cookie.js';
import type { HttpContext } from './state.js';

export interface ResultAccessOptions {
  readonly links: LinkSigner;
  /** Who presents these credentials; `undefined` when they are nobody's (any more). */
  readonly authenticate: (credentials: PresentedCredentials) => Promise<Principal | undefined>;
  /** Whether this principal may read executions and calls. */
  readonly mayReadExecutions: (principal: Principal) => boolean;
  /**
   * Whether the headers carry the webhook's own secret, by one of the methods that send the secret itself. A signature
   * does not count: there is no body to sign.
   *
   * @param webhookId a UUID.
   */
  readonly verifyWebhookCredential: (webhookId: string, rawHeaders: readonly string[]) => Promise<boolean>;
}

export interface PresentedCredentials {
  /** The Authorization header. */
  readonly authorization: string | undefined;
  /** The session cookie's value. */
  readonly sessionToken: string | undefined;
}

/** Whether the caller may read something that belongs to a webhook (a UUID). */
export type MayRead = (webhookId: string) => Promise<boolean>;

/**
 * Finds out what the caller may read: all, with an API token or a session that has the permission; one resource, with
 * the signed link to it; what belongs to one webhook, with that webhook's secret. Whoever presents nothing that opens
 * the door is told the same whether there is something behind it.
 *
 * @param path the resource's own path, which is what links are signed for, on whatever route it is asked for.
 * @throws AppError UNAUTHENTICATED for a link that has expired, FORBIDDEN for a principal without the permission.
 */
export async function mayRead(options: ResultAccessOptions, ctx: HttpContext, path: string): Promise<MayRead> {
  const link = options.links.check(path, ctx.query['expires'], ctx.query['signature']);
  if (link === 'valid') return () => Promise.resolve(true);
  if (link === 'expired') throw new AppError('UNAUTHENTICATED', 'This link has expired.');

  const authorization = ctx.headers.authorization;
  const sessionToken = sessionTokenIn(ctx.headers);
  if (authorization !== undefined || sessionToken !== undefined) {
    const principal = await options.authenticate({ authorization, sessionToken });
    if (principal !== undefined) {
      if (!options.mayReadExecutions(principal)) throw new AppError('FORBIDDEN');
      return () => Promise.resolve(true);
    }
  }
  return (webhookId) => options.verifyWebhookCredential(webhookId, ctx.req.rawHeaders);
}
