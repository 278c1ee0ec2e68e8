import type { IncomingMessage } from 'node:http';

/** The characters that host and port can have (RFC 3986, 3.2); also the empty one, which HTTP allows. */
const HOST = /^[\w.~!$&'()*+,;=%:[\]-]*$/;

/**
 * Whether a request says exactly once whom it is for, as RFC 9112 (3.2) demands; Node's parser keeps the first of
 * several Host headers. And whether its body is coded in no way but `chunked`: Node takes any list that ends so, and
 * a proxy that reads such a list otherwise sees other requests. What the parser does refuse itself: two
 * Content-Lengths, Content-Length beside Transfer-Encoding, bare line feeds, spaces before colons.
 */
export function isWellFormed(req: IncomingMessage): boolean {
  const coding = req.headers['transfer-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return false;
  let hosts = 0;
  const { rawHeaders } = req;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  if (hosts === 0) return req.httpVersion === '1.0';
  return hosts === 1 && HOST.test(req.headers.host ?? '');
}

/**
 * Reduces a target in absolute form (`POST http://host/path`, which servers must accept) to its path.
 *
 * @returns false when it has no path that can be told.
 */
export function normalizeTarget(req: IncomingMessage): boolean {
  const { url } = req;
  if (url === undefined) return false;
  if (url.startsWith('/') || url === '*') return true;
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) return false;
  const { pathname, search } = new URL(url);
  req.url = pathname + search;
  return true;
}
