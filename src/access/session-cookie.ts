/** The cookie of a signed-in browser. */
export const SESSION_COOKIE = 'workhook_session';

/** Reads the session's token from a Cookie header. A cookie that is there twice counts as none: one may be planted. */
export function sessionTokenIn(cookie: string | undefined): string | undefined {
  const values = (cookie ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${SESSION_COOKIE}=`))
    .map((pair) => pair.slice(SESSION_COOKIE.length + 1));
  return values.length === 1 ? values[0] : undefined;
}
