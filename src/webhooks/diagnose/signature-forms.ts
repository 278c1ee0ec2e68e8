import type { Encoding } from '../verify/provider/provider.js';
import type { Fault } from './diagnosis.js';

/** What a text may be as a signature. */
export interface SignatureForm {
  readonly bytes: Buffer;
  readonly faults: readonly Fault[];
}

/** Which HMAC has so many bytes. */
export const ALGORITHM_OF_LENGTH: ReadonlyMap<number, string> = new Map([
  [16, 'md5'],
  [20, 'sha1'],
  [32, 'sha256'],
  [48, 'sha384'],
  [64, 'sha512'],
]);

/** The bytes that a text stands for, in the expected encoding first, and in those that are taken for it. */
export function signatureForms(text: string, expected: Encoding): SignatureForm[] {
  const forms: SignatureForm[] = [];
  const add = (bytes: Buffer, ...said: (string | undefined)[]): void => {
    const faults = said.flatMap((it) => (it === undefined ? [] : [{ code: 'SIGNATURE_ENCODING' as const, text: it }]));
    forms.push({ bytes, faults });
  };
  const inner = text.trim().replaceAll(/^["']|["']$/g, '');
  const quoted = inner === text ? undefined : 'spaces or quotes stand around it';
  const digits = inner.replace(/^0x/i, '');
  if (isHex(digits)) {
    const instead = expected === 'hex' ? undefined : `it is written in hex instead of ${expected}`;
    add(Buffer.from(digits, 'hex'), digits === inner ? undefined : '0x stands before it', instead, quoted);
  }
  if (/^[\w+/-]+={0,2}$/.test(inner)) {
    const bytes = Buffer.from(inner, 'base64');
    const alphabet = /[-_]/.test(inner) ? 'base64url' : 'base64';
    add(bytes, alphabet === expected ? undefined : `it is written in ${alphabet} instead of ${expected}`, quoted);
    const decoded = bytes.toString('latin1');
    if (isHex(decoded)) add(Buffer.from(decoded, 'hex'), 'it was encoded twice: base64 of its hex form', quoted);
  }
  return forms;
}

function isHex(text: string): boolean {
  return /^(?:[0-9a-f]{2})+$/i.test(text);
}
