import { SESSION_COOKIE } from '../access/session-cookie.js';

/**
 * The Set-Cookie header for a session.
 *
 * `Lax`: no POST, GraphQL request or WebSocket that another site starts carries it, and a link to the dashboard in a
 * chat or a mail still arrives signed in.
 *
 * @param token empty to remove the cookie.
 */
export function sessionCookie(token: string, expiresAt: Date, secure: boolean): string {
  return [
    `${SESSION_COOKIE}=${token}`,
    'Path=/',
    `Expires=${expiresAt.toUTCString()}`,
    'HttpOnly',
    'SameSite=Lax',
    ...(secure ? ['Secure'] : []),
  ].join('; ');
}
