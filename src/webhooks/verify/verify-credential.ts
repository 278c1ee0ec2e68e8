import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { AuthenticationMethod } from '../webhook.entity.js';
import { headerValues } from './incoming-headers.js';
import type { Provider } from './provider/provider.js';

/** A secret that may be presented, with the moment from which it may not. */
export interface ValidSecret {
  readonly id: string;
  readonly secret: string;
  /** Unix milliseconds; `undefined` while it is active. */
  readonly expiresAtMs: number | undefined;
}

/** How a webhook wants to be authenticated, defaults filled in. */
export interface Authentication {
  readonly method: AuthenticationMethod;
  /** Lower case. */
  readonly headerName: string;
  readonly headerPrefix: string;
  /** The sender, for the method PROVIDER: then `verifyProvider` is the one to ask. */
  readonly provider?: Provider | undefined;
}

export type Verification =
  | { readonly verified: true; readonly secretId: string }
  /** `reason` is for the webhook's owner; the caller gets one text for all. */
  | { readonly verified: false; readonly reason: string };

/**
 * Authenticates a request over its raw bytes, a pure function of its arguments. Every unexpired secret is tried,
 * always all of them, and compared in constant time over digests of equal length, so that neither the time nor the
 * answer tells how near a guess was.
 */
export function verifyCredential(
  authentication: Authentication,
  secrets: readonly ValidSecret[],
  rawHeaders: readonly string[],
  body: Uint8Array,
  nowMs: number,
): Verification {
  const { headerName, headerPrefix, method } = authentication;
  const values = headerValues(rawHeaders, headerName);
  const [value] = values;
  if (value === undefined) return refused(`the header ${headerName} is missing`);
  if (values.length > 1) return refused(`the header ${headerName} was sent ${values.length} times`);
  if (!hasPrefix(value, headerPrefix, method)) return refused(`${headerName} does not begin with "${headerPrefix}"`);
  const presented = value.slice(headerPrefix.length);
  if (method === 'HMAC_SIGNATURE' && !/^[0-9a-f]{64}$/i.test(presented)) {
    return refused(`${headerName} is not a hex HMAC-SHA256 (64 characters)`);
  }

  const presentedDigest =
    method === 'HMAC_SIGNATURE' ? Buffer.from(presented, 'hex') : sha256(Buffer.from(presented, 'latin1'));
  let matched: ValidSecret | undefined;
  for (const candidate of secrets) {
    const expected = method === 'HMAC_SIGNATURE' ? hmacSha256(candidate.secret, body) : sha256(candidate.secret);
    if (timingSafeEqual(presentedDigest, expected)) matched ??= candidate;
  }
  if (matched === undefined) {
    return refused(method === 'HMAC_SIGNATURE' ? 'the signature is of another secret or body' : 'the secret is wrong');
  }
  if (matched.expiresAtMs !== undefined && matched.expiresAtMs <= nowMs) {
    return refused('the secret has expired after a rotation');
  }
  return { verified: true, secretId: matched.id };
}

/** `Bearer` is an authentication scheme and those are case-insensitive (RFC 9110, 11.1); other prefixes are exact. */
function hasPrefix(value: string, prefix: string, method: AuthenticationMethod): boolean {
  const start = value.slice(0, prefix.length);
  return method === 'BEARER_TOKEN' ? start.toLowerCase() === prefix.toLowerCase() : start === prefix;
}

function refused(reason: string): Verification {
  return { verified: false, reason };
}

function sha256(data: string | Uint8Array): Buffer {
  return createHash('sha256').update(data).digest();
}

function hmacSha256(secret: string, body: Uint8Array): Buffer {
  return createHmac('sha256', secret).update(body).digest();
}
