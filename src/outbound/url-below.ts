import { AppError } from '../errors.js';

/** More rounds of percent-encoding than anybody means. */
const DECODINGS_MAX = 5;

/**
 * Puts a path below a base URL. Whatever the path is (templates and models make them), the result keeps
 * the base's origin and begins with its path: no scheme, no host, no `..` in any encoding, however many systems decode
 * it on its way. An encoded slash is a character of its segment, as `group%2Fproject` needs it.
 *
 * @param path with or without a leading slash; it may end with a query. Empty is the base URL itself.
 * @throws AppError OUTBOUND_PATH_INVALID.
 */
export function urlBelow(baseUrl: string, path: string): URL {
  const base = new URL(baseUrl);
  const prefix = base.pathname.replace(/\/$/, '');
  const queryAt = path.indexOf('?');
  const pathname = queryAt === -1 ? path : path.slice(0, queryAt);
  const search = queryAt === -1 ? '' : path.slice(queryAt);
  if (!path.isWellFormed() || /[\p{Cc}\u2028\u2029#]/u.test(path)) throw invalid();
  const below = pathname.replace(/^\//, '');
  if (!below.split('/').every((segment, i, all) => isSegment(segment, i === all.length - 1))) throw invalid();
  const url = new URL(base.origin + (below === '' ? base.pathname : `${prefix}/${below}`) + search);
  if (url.origin !== base.origin || !`${url.pathname}/`.startsWith(`${prefix}/`)) throw invalid();
  return url;
}

/** Whether a URL, as a library built it from the base URL, lies below it. */
export function isBelow(baseUrl: string, url: URL): boolean {
  const base = new URL(baseUrl);
  const prefix = base.pathname.replace(/\/$/, '');
  if (url.origin !== base.origin || !`${url.pathname}/`.startsWith(`${prefix}/`)) return false;
  try {
    urlBelow(baseUrl, url.pathname.slice(prefix.length));
    return true;
  } catch {
    return false;
  }
}

/** Whether a segment stays where it is: not empty but at the end, and after decoding still no step and no `\`. */
function isSegment(segment: string, last: boolean): boolean {
  if (segment === '') return last;
  let text = segment;
  for (let i = 0; ; i += 1) {
    // `..;x` is `..` to servers that know path parameters (RFC 3986, 3.3), and `.. ` to those that trim.
    if (/\\|\p{Cc}/u.test(text) || text.split('/').some((part) => /^\s*\.{1,2}\s*(?:;|$)/.test(part))) return false;
    const decoded = decode(text);
    if (decoded === text) return true;
    if (decoded === undefined) return i > 0; // `%25`, once decoded, may well stand before anything
    if (i === DECODINGS_MAX) return false;
    text = decoded;
  }
}

/** @returns `undefined` for what is not percent-encoded UTF-8. */
function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function invalid(): AppError {
  return new AppError('OUTBOUND_PATH_INVALID');
}
