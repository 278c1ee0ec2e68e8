import type { Router } from '@koa/router';
import type { Identity, PendingSignIn } from '../../access/oidc/identity-provider.js';
import { sessionCookie } from '../../access/session-cookie.js';
import type { NewSession } from '../../access/sessions.js';
import { AppError } from '../../errors.js';
import type { Logger } from '../../lib/logger.js';
import { redirect, showPage } from '../page-answer.js';
import { identityFailedPage } from '../pages.js';
import { PATHS } from '../paths.js';
import { problemStatus } from '../problem.js';
import type { HttpContext, HttpState } from '../state.js';

export interface IdentitySignIn {
  readonly begin: () => Promise<{ readonly url: string; readonly pending: PendingSignIn }>;
  readonly finish: (query: string, pending: PendingSignIn) => Promise<Identity>;
  readonly signIn: (identity: Identity) => Promise<NewSession>;
  readonly log: Logger;
}

/** What the browser keeps while it is away. Only these two paths get to see it. */
const COOKIE = 'workhook_sign_in';

/** As long as somebody may take to sign in at the provider, in seconds. */
const PENDING_VALID_S = 600;

const PENDING = /^([\w-]{16,128})\.([\w-]{16,128})\.([\w-]{43,128})$/;

/** GET /login/oidc leaves for the identity provider, GET /login/oidc/callback comes back from it. */
export function identitySignInRoutes(router: Router<HttpState>, options: IdentitySignIn): void {
  router.get(PATHS.oidc, async (ctx) => {
    await orPage(ctx, options.log, async () => {
      const { url, pending } = await options.begin();
      setPending(ctx, `${pending.state}.${pending.nonce}.${pending.verifier}`, PENDING_VALID_S);
      redirect(ctx, url);
    });
  });

  router.get(PATHS.oidcCallback, async (ctx) => {
    await orPage(ctx, options.log, async () => {
      const [, state, nonce, verifier] = PENDING.exec(ctx.cookies.get(COOKIE) ?? '') ?? [];
      setPending(ctx, '', 0); // it works once, whatever comes of it
      if (state === undefined || nonce === undefined || verifier === undefined) throw new AppError('IDENTITY_REFUSED');
      const identity = await options.finish(ctx.querystring, { state, nonce, verifier });
      const session = await options.signIn(identity);
      ctx.append('Set-Cookie', sessionCookie(session.token, session.expiresAt, ctx.state.secure));
      redirect(ctx, '/');
    });
  });
}

/** A person waits for this: what goes wrong is told on a page, and in full in the log. */
async function orPage(ctx: HttpContext, log: Logger, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    log.warn({ code: error.code, reason: error.detail, requestId: ctx.state.requestId }, 'a sign-in failed');
    showPage(ctx, problemStatus(error.code), identityFailedPage(error.message));
  }
}

/** `Lax`: the provider sends the browser back by a link from its own site. */
function setPending(ctx: HttpContext, value: string, maxAgeS: number): void {
  const secure = ctx.state.secure ? '; Secure' : '';
  ctx.append(
    'Set-Cookie',
    `${COOKIE}=${value}; Path=${PATHS.oidc}; Max-Age=${maxAgeS}; HttpOnly; SameSite=Lax${secure}`,
  );
}
