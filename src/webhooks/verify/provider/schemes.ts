import { createHash, createHmac, createPublicKey, type KeyObject, timingSafeEqual, verify } from 'node:crypto';
import { ENCODED } from './extract.js';
import type { AsymmetricScheme, HmacScheme } from './provider.js';

/** What decodes to less is no key: Node skips what is not base64, and anybody can sign with an empty key. */
const KEY_BYTES_MIN = 16;

/** @returns `undefined` for a secret that is not encoded as the sender's keys are. */
export function hmacKey(scheme: HmacScheme, secret: string): string | Buffer | undefined {
  if (scheme.key === undefined) return secret; // as a Buffer the same key costs 8 µs more
  const { strip, enc } = scheme.key;
  const text = secret.startsWith(strip) ? secret.slice(strip.length) : secret;
  if (!ENCODED[enc].test(text)) return undefined;
  const key = Buffer.from(text, enc);
  return key.length < KEY_BYTES_MIN ? undefined : key;
}

/** @returns `undefined` when the secret cannot be a key of this scheme. */
export function hmacSignature(scheme: HmacScheme, secret: string, base: Uint8Array): Buffer | undefined {
  const key = hmacKey(scheme, secret);
  return key === undefined ? undefined : createHmac(scheme.alg, key).update(base).digest();
}

/** Whether one of the signatures is of one of the base strings, with this secret: all are tried, in constant time. */
export function matches(
  scheme: HmacScheme | AsymmetricScheme,
  secret: string,
  bases: readonly Uint8Array[],
  signatures: readonly Uint8Array[],
): boolean {
  let matched = false;
  if (scheme.scheme === 'hmac') {
    for (const base of bases) {
      const expected = hmacSignature(scheme, secret, base);
      if (expected === undefined) return false;
      for (const signature of signatures) {
        if (signature.length === expected.length && timingSafeEqual(signature, expected)) matched = true;
      }
    }
    return matched;
  }
  const key = publicKey(scheme, secret);
  if (key === undefined) return false;
  const digest = scheme.alg === 'ed25519' ? null : 'sha256';
  for (const base of bases) {
    for (const signature of signatures) if (verify(digest, base, key, signature)) matched = true;
  }
  return matched;
}

/** @returns `undefined` for what is no key of that kind. */
export function publicKey(scheme: AsymmetricScheme, secret: string): KeyObject | undefined {
  const bytes = Buffer.from(secret, scheme.key.enc);
  try {
    if (scheme.alg === 'ed25519') {
      const jwk = { kty: 'OKP', crv: 'Ed25519', x: bytes.toString('base64url') };
      return createPublicKey({ key: jwk, format: 'jwk' });
    }
    const key = createPublicKey({ key: bytes, format: 'der', type: 'spki' });
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : undefined;
  } catch {
    return undefined;
  }
}

/** Whether two texts are the same, in a time that does not depend on where they differ. */
export function isSameText(presented: string, secret: string): boolean {
  return timingSafeEqual(sha256(presented), sha256(secret));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
