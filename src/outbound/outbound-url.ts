import { z } from 'zod';

/** Characters of a URL that a user gives. */
export const URL_CHARACTERS_MAX = 2_048;

/** Reads a URL that outbound requests may have; `undefined` when it is not one. The address is checked when dialled. */
export function parseOutboundUrl(text: string): URL | undefined {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return undefined;
  return url.username === '' && url.password === '' ? url : undefined;
}

/** A URL that a user gives, in its normal form. Whether the address is allowed is found out at the connection. */
export const outboundUrl = z
  .string()
  .max(URL_CHARACTERS_MAX)
  .refine((text) => parseOutboundUrl(text) !== undefined, 'must be an http or https URL without user name and password')
  .transform((text) => new URL(text).href);
