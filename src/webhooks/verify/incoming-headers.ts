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

/** What stands in the record in place of a credential. */
const REMOVED = '[removed]';

/**
 * The headers as they are stored with a call: names in lower case, repeated ones joined by a comma, credentials
 * removed. A signature is no credential (it proves one body only) and stays, for whoever looks into a rejection.
 *
 * @param secretHeader the header that carries this webhook's secret itself, in lower case.
 */
export function recordedHeaders(
  rawHeaders: readonly string[],
  secretHeader: string | undefined,
): Record<string, string> {
  const recorded = Object.create(null) as Record<string, string>;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    const value = CREDENTIAL_HEADERS.has(name) || name === secretHeader ? REMOVED : rawHeaders[i + 1]!;
    recorded[name] = recorded[name] === undefined ? value : `${recorded[name]}, ${value}`;
  }
  return recorded;
}
