import type { RequestFacts } from './request-facts.js';

/**
 * Whether a request or a WebSocket handshake comes from our own pages or from a program. A browser sends its cookies
 * with a foreign page's handshake too, without asking first, and names the page in `Origin`.
 *
 * @param publicUrl the configured base of our URLs, for a proxy that changes `Host`.
 */
export function isOwnOrigin(origin: string | undefined, facts: RequestFacts, publicUrl: string): boolean {
  if (origin === undefined) return true;
  const asked = originOf(origin);
  if (asked === undefined) return false;
  return asked === originOf(`${facts.secure ? 'https' : 'http'}://${facts.host}`) || asked === originOf(publicUrl);
}

/** In the form that browsers send: no default port, lower case. */
function originOf(url: string): string | undefined {
  const origin = URL.canParse(url) ? new URL(url).origin : 'null';
  return origin === 'null' ? undefined : origin;
}
