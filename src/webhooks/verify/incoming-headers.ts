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

/** What must not be recorded of the headers of a webhook's calls. */
export interface WebhookCredentials {
  /** The header that carries the secret itself, in lower case; `undefined` where there is none. */
  readonly header: string | undefined;
  readonly secrets: readonly string[];
}

/**
 * The headers of a request that proved nothing, without what may be a credential in the wrong place by the name that it
 * is under.
 */
export function unprovenHeaders(rawHeaders: readonly string[]): string[] {
  return rawHeaders.map((text, i) => (i % 2 === 1 && CREDENTIAL_NAME.test(rawHeaders[i - 1]!) ? REMOVED : text));
}

/** What stands in the record in place of a credential. */
const REMOVED = '[removed]';

/**
 * The headers as they are stored with a call: names in lower case, repeated ones joined by a comma, credentials removed,
 * the webhook's secrets and our own tokens under whatever name. A signature is no credential (it proves one body only)
 * and stays, for whoever looks into a rejection. Looking for secrets in ten values costs 0.5 µs a call (1.05 to 1.55 µs,
 * side by side in one process).
 *
 * @param credentials what becomes of them: a word in their place, or nothing at all.
 */
export function recordedHeaders(
  rawHeaders: readonly string[],
  { header, secrets }: WebhookCredentials,
  credentials: 'marked' | 'left-out' = 'marked',
): Record<string, string> {
  const recorded = Object.create(null) as Record<string, string>;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    const text = rawHeaders[i + 1]!;
    const isCredential =
      CREDENTIAL_HEADERS.has(name) ||
      name === header ||
      CREDENTIAL_TEXT.test(text) ||
      secrets.some((secret) => text.includes(secret));
    if (isCredential && credentials === 'left-out') continue;
    const value = isCredential ? REMOVED : text;
    recorded[name] = recorded[name] === undefined ? value : `${recorded[name]}, ${value}`;
  }
  return recorded;
}
