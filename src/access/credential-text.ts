import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { formatId, ID_PREFIXES, parseId } from '../lib/ids.js';

/**
 * The text of an API token: `wha_<id>_<secret><crc>`. The id is the token's own, in base32, so that a leaked one can be
 * named and revoked without showing it; 32 random bytes and the CRC-32 of all before it follow as 48 characters of
 * base64url. The check refuses a typo or half a copy without the database, and lets secret scanners know a find from
 * a look-alike, as GitHub's token format does.
 */
const PREFIX = 'wha_';

const TOKEN = /^wha_([0-9a-z]{26})_([\w-]{48})$/;

const SECRET_BYTES = 32;

/** @param id the token's UUID. */
export function newApiTokenText(id: string): string {
  const head = `${PREFIX}${formatId('apiToken', id).slice(ID_PREFIXES.apiToken.length)}_`;
  const secret = randomBytes(SECRET_BYTES);
  return head + Buffer.concat([secret, checkOf(head, secret)]).toString('base64url');
}

/** Whether a text claims to be one of our tokens; other texts can be tokens too, which an operator chose. */
export function claimsToBeOurs(text: string): boolean {
  return text.startsWith(PREFIX);
}

/** Reads the token's id (a UUID) out of its text; `undefined` when it is not whole. Says nothing of who may use it. */
export function readApiTokenText(text: string): string | undefined {
  const [, base32 = '', base64 = ''] = TOKEN.exec(text) ?? [];
  const bytes = Buffer.from(base64, 'base64url');
  if (bytes.length !== SECRET_BYTES + 4) return undefined;
  const secret = bytes.subarray(0, SECRET_BYTES);
  if (!checkOf(`${PREFIX}${base32}_`, secret).equals(bytes.subarray(SECRET_BYTES))) return undefined;
  return parseId('apiToken', ID_PREFIXES.apiToken + base32);
}

/** 32 random bytes as 43 characters that need no quoting in a URL or a cookie: login tokens and sessions. */
export function newBearerText(): string {
  return randomBytes(SECRET_BYTES).toString('base64url');
}

/**
 * All that is stored of a credential. Plain SHA-256 is enough: 256 random bits can't be guessed, so there is nothing
 * that a slow hash would slow down.
 */
export function hashCredential(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** The end of a token, by which its owner knows it again. */
export function hintOf(text: string): string {
  return `…${text.slice(-4)}`;
}

function checkOf(head: string, secret: Uint8Array): Buffer {
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(secret, crc32(head)));
  return check;
}
