/**
 * Headers that can't carry a credential: they end at the next hop (RFC 9110, 7.6.1), frame or describe the body, or
 * are set by clients and proxies themselves.
 */
const RESERVED_HEADERS = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-type',
  'content-length',
  'content-encoding',
  'host',
  'expect',
  'accept',
  'accept-encoding',
  'date',
  'via',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-real-ip',
]);

/** @param name in any case. */
export function isReservedHeader(name: string): boolean {
  return RESERVED_HEADERS.has(name.toLowerCase());
}
