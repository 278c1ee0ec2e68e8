/** Crockford's alphabet in lower case: no i, l, o, u, so that ids survive being read aloud and typed. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

const VALUE_OF = new Int8Array(128).fill(-1);
for (let i = 0; i < ALPHABET.length; i += 1) VALUE_OF[ALPHABET.charCodeAt(i)] = i;

/** 128 bits need 26 characters of 5 bits; the first one carries only the top 3 bits. */
export const BASE32_LENGTH = 26;

/**
 * Encodes 16 bytes as 26 lower-case base32 characters. Order is kept: the encodings sort as the bytes do.
 */
export function encodeBase32(bytes: Uint8Array): string {
  let text = '';
  let pending = 0;
  let pendingBits = 2; // two leading zero bits make 130, a multiple of 5
  for (const byte of bytes) {
    pending = (pending << 8) | byte;
    pendingBits += 8;
    while (pendingBits >= 5) {
      pendingBits -= 5;
      text += ALPHABET[(pending >>> pendingBits) & 31];
    }
    pending &= 255;
  }
  return text;
}

/**
 * Decodes what {@link encodeBase32} made. Only its exact form is taken (26 characters, lower case, at most
 * 128 bits), so that one id has one spelling; anything else gives `undefined`.
 */
export function decodeBase32(text: string): Uint8Array | undefined {
  if (text.length !== BASE32_LENGTH) return undefined;
  const bytes = new Uint8Array(16);
  let pending = 0;
  let pendingBits = 0;
  let at = 0;
  for (let i = 0; i < BASE32_LENGTH; i += 1) {
    const code = text.charCodeAt(i);
    const value = code < 128 ? VALUE_OF[code]! : -1;
    if (value < 0 || (i === 0 && value > 7)) return undefined;
    pending = (pending << 5) | value;
    pendingBits += i === 0 ? 3 : 5;
    if (pendingBits >= 8) {
      pendingBits -= 8;
      bytes[at] = (pending >>> pendingBits) & 255;
      at += 1;
    }
    pending &= 255;
  }
  return bytes;
}
