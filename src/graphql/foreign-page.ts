import type Koa from 'koa';
import type { Logger } from '../lib/logger.js';
import { codedError, presentError } from './errors.js';
import { isOwnOrigin } from './origin.js';
import type { RequestFacts } from './request-facts.js';

export interface ForeignPageOptions {
  readonly publicUrl: () => string;
  readonly log: Logger;
}

/**
 * Keeps foreign pages from working with the cookie of whoever looks at them, should a browser send it in spite of
 * `SameSite` (a page below the same registrable domain does not count as another site). Where an Authorization header
 * decides, the origin does not matter: no page has that of another.
 *
 * @returns whether the request is refused, and answered.
 */
export function foreignPageRefusal({
  publicUrl,
  log,
}: ForeignPageOptions): (ctx: Koa.ParameterizedContext<RequestFacts>) => boolean {
  return (ctx) => {
    const { authorization, origin } = ctx.headers;
    if (authorization !== undefined || isOwnOrigin(origin, ctx.state, publicUrl())) return false;
    const error = codedError(
      'FORBIDDEN',
      'This is not a page of ours. Behind a proxy that changes Host, set PUBLIC_URL.',
    );
    ctx.set('Cache-Control', 'no-store');
    ctx.set('Connection', 'close'); // a body that nobody reads would be taken for the next request
    ctx.status = 403;
    ctx.body = { errors: [presentError(error, { requestId: ctx.state.requestId, log, suggestions: false })] };
    return true;
  };
}
