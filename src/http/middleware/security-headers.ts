import type { HttpMiddleware } from '../state.js';

/** A year, in seconds. */
const HSTS_MAX_AGE_S = 31_536_000;

/** For answers that are data; a page sets its own policy. */
const NO_CONTENT = "default-src 'none'; frame-ancestors 'none'";

/** Headers that keep browsers from guessing, framing and leaking. A route may replace them. */
export const securityHeaders: HttpMiddleware = async (ctx, next) => {
  ctx.set('X-Content-Type-Options', 'nosniff');
  ctx.set('X-Frame-Options', 'DENY');
  ctx.set('Referrer-Policy', 'no-referrer'); // a login link has its token in the address
  ctx.set('Content-Security-Policy', NO_CONTENT);
  if (ctx.state.secure) ctx.set('Strict-Transport-Security', `max-age=${HSTS_MAX_AGE_S}`);
  await next();
};
