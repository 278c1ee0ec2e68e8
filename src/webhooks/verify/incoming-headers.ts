/**
 * Finds every value of a header in Node's `rawHeaders` (names and values in turn). Node joins or drops repeated
 * headers in its parsed form, so the same credential sent twice would not show there.
 *
 * @param name in lower case.
 */
export function headerValues(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const candidate = rawHeaders[i]!;
    if (candidate.length === name.length && candidate.toLowerCase() === name) values.push(rawHeaders[i + 1]!);
  }
  return values;
}

/** Headers that carry credentials whatever the webhook's method is. */
const CREDENTIAL_HEADERS = new Set(['authorization', 'proxy-authorization', 'cookie', 'x-webhook-secret', 'x-api-key']);

/** Names under which a caller that does it wrong may send a credential. */
const CREDENTIAL_NAME = /secret|token|passw|credential|signature|hmac|api[-_]?key|auth/i;

/** Beginnings of credentials that we make ourselves. */
const CREDENTIAL_TEXT = /whsec_|wha_/;

/**
 * The headers of a request that proved nothing, without all that may be a credential in the wrong place: a misspelt
 * name, a secret where a signature belongs.
 *
 * @param secrets those of the webhook.
 */
export function unprovenHeaders(rawHeaders: readonly string[], secrets: readonly string[]): string[] {
  return rawHeaders.map((text, i) => {
    if (i % 2 === 0) return text;
    const suspect = CREDENTIAL_NAME.test(rawHeaders[i - 1]!) || CREDENTIAL_TEXT.test(text);
    return suspect || secrets.some((secret) => text.includes(secret)) ? REMOVED : text;
  });
}

/** What stands in the record in place of a credential. */
const REMOVED = '[removed]';

/**
 * The headers as they are stored with a call: names in lower case, repeated ones joined by a comma, credentials
 * removed. A signature is no credential (it proves one body only) and stays, for whoever looks into a rejection.
 *
 * @param secretHeader the header that carries this webhook's secret itself, in lower case.
 * @param credentials what becomes of them: a word in their place, or nothing at all.
 */
export function recordedHeaders(
  rawHeaders: readonly string[],
  secretHeader: string | undefined,
  credentials: 'marked' | 'left-out' = 'marked',
): Record<string, string> {
  const recorded = Object.create(null) as Record<string, string>;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    const isCredential = CREDENTIAL_HEADERS.has(name) || name === secretHeader;
    if (isCredential && credentials === 'left-out') continue;
    const value = isCredential ? REMOVED : rawHeaders[i + 1]!;
    recorded[name] = recorded[name] === undefined ? value : `${recorded[name]}, ${value}`;
  }
  return recorded;
}
