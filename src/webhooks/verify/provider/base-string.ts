import { createHash, timingSafeEqual } from 'node:crypto';
import { isForm, readForm } from '../../form-body.js';
import type { AsymmetricScheme, HmacScheme, ProviderRequest } from './provider.js';

type SignedScheme = HmacScheme | AsymmetricScheme;

/** What stands in the base string besides the request itself, exactly as it was sent. */
export interface BaseParts {
  readonly timestamp: string;
  readonly id: string;
}

/**
 * The byte strings that the sender may have signed: one for each form of the base and of the URL. Bodies are taken as
 * bytes, never decoded and encoded again.
 */
export function baseStrings(scheme: SignedScheme, request: ProviderRequest, parts: BaseParts): Uint8Array[] {
  const needsUrl = scheme.base.some((template) => template.includes('{url}'));
  const urls = needsUrl ? urlForms(request.publicUrl + request.target, scheme.url) : [''];
  return scheme.base.flatMap((template) => urls.map((url) => fill(template, request, { ...parts, url })));
}

/** The most frequent base, and nothing is copied for it. */
const BODY_ALONE = '{body}';

function fill(template: string, request: ProviderRequest, parts: BaseParts & { readonly url: string }): Uint8Array {
  if (template === BODY_ALONE) return request.body;
  const pieces = template.split(/\{(\w+)\}/).map((piece, i): Uint8Array => {
    if (i % 2 === 0) return Buffer.from(piece);
    switch (piece) {
      case 'body':
        return request.body;
      case 'escapedBody':
        return Buffer.from(escapeUnicode(Buffer.from(request.body).toString('utf8')));
      case 'timestamp':
        return Buffer.from(parts.timestamp, 'latin1'); // Node gives headers as latin1
      case 'id':
        return Buffer.from(parts.id, 'latin1');
      case 'method':
        return Buffer.from(request.method);
      case 'url':
        return Buffer.from(parts.url);
      case 'formParameters':
        return isForm(request.rawHeaders) ? Buffer.from(formParameters(request.body)) : Buffer.alloc(0);
      default:
        throw new Error(`The base string has an unknown part: ${piece}`);
    }
  });
  return Buffer.concat(pieces);
}

/** Meta's way: everything outside ASCII as `\u00e4`, in lower case, surrogates one by one. */
export function escapeUnicode(text: string): string {
  return text.replaceAll(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Only these, says HubSpot; the question mark before the query stays what it is. */
const HUBSPOT_DECODES = /%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)/gi;

function urlForms(url: string, form: SignedScheme['url']): string[] {
  if (form === undefined) return [url];
  if (form === 'decoded') {
    const decoded = url.replaceAll(HUBSPOT_DECODES, (escape) => decodeURIComponent(escape));
    return decoded === url ? [url] : [url, decoded];
  }
  const [, start, port = '', rest] = /^(https?:\/\/(?:\[[^\]]*\]|[^/?#:[\]]*))(:\d+)?(.*)$/i.exec(url) ?? [];
  if (start === undefined) return [url];
  const standard = url.startsWith('https:') ? ':443' : ':80';
  return port === '' ? [url, start + standard + rest] : [url, start + rest];
}

/** Names and values in turn, by name; one name's values by value and each once (twilio's `toFormUrlEncodedParam`). */
function formParameters(body: Uint8Array): string {
  return Array.from(readForm(body))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, values]) => [...new Set(values)].toSorted().map((value) => name + value))
    .join('');
}

/**
 * Whether the body is the one whose hash stands in the signed URL. A form needs none: its parameters are signed
 * themselves; any other body without a hash would not be covered by the signature at all. Where there is one it counts
 * also for a form: the content type is not signed, and an empty form adds nothing to what is.
 */
export function isBodyHashed(parameter: string, request: ProviderRequest): boolean {
  const query = queryOf(request.target);
  if (isForm(request.rawHeaders) && !query.has(parameter)) return true;
  const stated = query.get(parameter) ?? '';
  if (!/^[0-9a-f]{64}$/i.test(stated)) return false;
  return timingSafeEqual(Buffer.from(stated, 'hex'), createHash('sha256').update(request.body).digest());
}

export function queryOf(target: string): URLSearchParams {
  const at = target.indexOf('?');
  return new URLSearchParams(at === -1 ? '' : target.slice(at + 1));
}
