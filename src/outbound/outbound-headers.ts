import { validateHeaderName, validateHeaderValue } from 'node:http';
import { z } from 'zod';

/** Ours to set, or the connection's (RFC 9110, 7.6.1). */
const RESERVED_HEADERS = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'idempotency-key',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'webhook-id',
  'webhook-signature',
  'webhook-timestamp',
]);

const HEADERS_MAX = 50;
const HEADER_VALUE_CHARACTERS_MAX = 4_096;

/** Headers that a user adds to requests; names that only the client may set are refused. */
export const outboundHeaders = z
  .record(z.string(), z.string().max(HEADER_VALUE_CHARACTERS_MAX))
  .superRefine((headers, context) => {
    if (Object.keys(headers).length > HEADERS_MAX) {
      context.addIssue({ code: 'custom', message: `must not be more than ${HEADERS_MAX}` });
    }
    const seen = new Set<string>();
    for (const [name, value] of Object.entries(headers)) {
      const fault = seen.has(name.toLowerCase()) ? 'is there twice' : headerFault(name, value);
      if (fault !== undefined) context.addIssue({ code: 'custom', path: [name], message: fault });
      seen.add(name.toLowerCase());
    }
  });

/** What is wrong with a header of a user, without a word of its value; `undefined` when nothing is. */
export function headerFault(name: string, value: string): string | undefined {
  if (RESERVED_HEADERS.has(name.toLowerCase())) return 'is set by Workhook';
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return undefined;
  } catch {
    return 'is not a valid header';
  }
}

/** So that what replaces a header replaces it however it is written. */
export function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
