import { randomBytes } from 'node:crypto';
import type { UserError } from '../lib/user-error.js';

const SECRET_BYTES = 32;

/** A signed request that somebody saw lets them try secrets offline; what is shorter than this is soon found. */
const CHARACTERS_MIN = 16;

/** One header carries it, and Node takes 16 KiB of headers in all. */
const CHARACTERS_MAX = 4_096;

/** A new secret: `whsec_` and 32 random bytes in base64, the form that Standard Webhooks uses. */
export function newSecret(): string {
  return `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
}

/**
 * Checks a secret that the user brings along, because the sender made it. It must be able to go in a header: printable
 * ASCII, no space at either end, where HTTP parsers cut it off (RFC 9110, 5.5).
 *
 * @returns what is wrong, without a word of the secret.
 */
export function ownSecretFaults(field: readonly string[], secret: string): readonly UserError[] {
  if (secret.length < CHARACTERS_MIN) {
    return [{ field, message: `A secret has at least ${CHARACTERS_MIN} characters.`, code: 'TOO_SHORT' }];
  }
  if (secret.length > CHARACTERS_MAX) {
    return [{ field, message: `A secret has at most ${CHARACTERS_MAX} characters.`, code: 'TOO_LONG' }];
  }
  if (!/^[!-~](?:[ -~]*[!-~])$/.test(secret)) {
    const message = 'A secret has only printable ASCII characters, and no space at its beginning or end.';
    return [{ field, message, code: 'INVALID_CHARACTERS' }];
  }
  return [];
}

/** The end of a secret, by which its owner knows it again: less of a short one, so that it gives little away. */
export function secretHint(secret: string): string {
  return `…${secret.slice(secret.length < 32 ? -2 : -4)}`;
}
