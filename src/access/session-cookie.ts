/** The cookie of a signed-in browser. */
export const SESSION_COOKIE = 'workhook_session';

/**
 * The Set-Cookie header of a browser that signs in.
 *
 * `Lax`: no POST, GraphQL request or WebSocket that another site starts carries it, and a link to the dashboard in a
 * chat or a mail still arrives signed in.
 *
 * @param token the session's; empty to remove the cookie.
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

/** Reads the session's token from a Cookie header. A cookie that is there twice counts as none: one may be planted. */
export function sessionTokenIn(cookie: string | undefined): string | undefined {
  const values = (cookie ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${SESSION_COOKIE}=`))
    .map((pair) => pair.slice(SESSION_COOKIE.length + 1));
  return values.length === 1 ? values[0] : undefined;
}
