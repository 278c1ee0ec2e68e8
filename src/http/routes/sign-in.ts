import type { Router } from '@koa/router';
import { sessionCookie, sessionTokenIn } from '../../access/session-cookie.js';
import type { NewSession } from '../../access/sessions.js';
import { AppError } from '../../errors.js';
import { readBody } from '../../lib/read-body.js';
import { redirect, showPage } from '../page-answer.js';
import { loginFailedPage, loginPage, signedInPage, welcomePage } from '../pages.js';
import { PATHS } from '../paths.js';
import type { Authenticate } from '../result-access.js';
import type { HttpContext, HttpState } from '../state.js';
import { type IdentitySignIn, identitySignInRoutes } from './identity-sign-in.js';

export interface SignInOptions {
  /** Exchanges a one-time login token; `undefined` when it is unknown, used or expired. */
  readonly exchangeLoginToken: (token: string) => Promise<NewSession | undefined>;
  readonly authenticate: Authenticate;
  readonly endSession: (sessionToken: string) => Promise<void>;
  /** Signing in at an identity provider; absent when there is none. */
  readonly identityProvider?: IdentitySignIn | undefined;
  /** Where a signed-in browser goes from `/`: the GraphQL explorer or the dashboard, when there is one. */
  readonly homePath: string | undefined;
}

const LOGIN_TOKEN = /^[\w.~-]{16,512}$/;

const FORM_BYTES_MAX = 4_096;

/** /, /login and /logout. */
export function signInRoutes(router: Router<HttpState>, options: SignInOptions): void {
  router.get('/', async (ctx) => {
    const signedIn = (await options.authenticate({ cookie: ctx.headers.cookie })) !== undefined;
    if (signedIn && options.homePath !== undefined) redirect(ctx, options.homePath);
    else showPage(ctx, 200, signedIn ? signedInPage() : welcomePage(options.identityProvider !== undefined));
  });

  router.get(PATHS.login, (ctx) => {
    const { token } = ctx.query;
    if (typeof token === 'string' && LOGIN_TOKEN.test(token)) showPage(ctx, 200, loginPage(token));
    else showPage(ctx, 400, loginFailedPage());
  });

  router.post(PATHS.login, async (ctx) => {
    refuseOtherSites(ctx);
    const token = await formField(ctx, 'token');
    const session = LOGIN_TOKEN.test(token) ? await options.exchangeLoginToken(token) : undefined;
    if (session === undefined) {
      showPage(ctx, 401, loginFailedPage());
      return;
    }
    ctx.set('Set-Cookie', sessionCookie(session.token, session.expiresAt, ctx.state.secure));
    redirect(ctx, '/');
  });

  if (options.identityProvider !== undefined) identitySignInRoutes(router, options.identityProvider);

  router.post(PATHS.logout, async (ctx) => {
    refuseOtherSites(ctx);
    const session = sessionTokenIn(ctx.headers.cookie);
    if (session !== undefined) await options.endSession(session);
    ctx.set('Set-Cookie', sessionCookie('', new Date(0), ctx.state.secure));
    redirect(ctx, '/');
  });
}

/** Another site must not sign a browser in to its own account, nor out of ours. Programs send neither header. */
function refuseOtherSites(ctx: HttpContext): void {
  const site = ctx.get('Sec-Fetch-Site');
  if (site !== '' ? site !== 'same-origin' && site !== 'none' : isForeign(ctx.get('Origin'), ctx.state.host)) {
    throw new AppError('FORBIDDEN', 'This form can only be sent from its own page.');
  }
}

function isForeign(origin: string, host: string): boolean {
  if (origin === '') return false;
  return !URL.canParse(origin) || new URL(origin).host !== host.toLowerCase();
}

async function formField(ctx: HttpContext, name: string): Promise<string> {
  if (ctx.is('application/x-www-form-urlencoded') === false) {
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send a form (application/x-www-form-urlencoded).');
  }
  const body = await readBody(ctx.req, FORM_BYTES_MAX);
  if (body === 'too-large') throw new AppError('PAYLOAD_TOO_LARGE', `The form is larger than ${FORM_BYTES_MAX} bytes.`);
  return new URLSearchParams(body === 'aborted' ? '' : body.toString('utf8')).get(name) ?? '';
}
