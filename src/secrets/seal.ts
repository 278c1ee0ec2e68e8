import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { AppError, Postponed } from '../errors.js';

/** What a sealed text belongs to: it opens nowhere else, so that nobody with the database can move it to another row. */
export interface SealedFor {
  readonly table: string;
  /** The row's id. */
  readonly row: string;
  /** The version of the row's secret. */
  readonly version: number;
}

/** A key-encryption key. */
export interface EncryptionKey {
  /** 1–32 characters of `A–Z a–z 0–9 _ -`; it stands in what the key seals. */
  readonly id: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

const FORMAT = 1;
/** While keys are replaced some processes have a new one before others, and no start is let in without it. Milliseconds. */
const KEY_WAIT_MS = 2_000;

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Seals secrets for the database.
 *
 * Each record has a data key of its own, wrapped by a key-encryption key, both with AES-256-GCM: another key-encryption
 * key takes a record over by wrapping 32 bytes anew, without its text. The layout, in bytes:
 *
 *     1        format, 1
 *     1        length of the key's id, n
 *     n        the key's id, ASCII
 *     12+32+16 nonce, wrapped data key, tag
 *     12+m+16  nonce, encrypted text, tag
 *
 * Authenticated beside the data key: the head (format and key id), table, row and version. Beside the text: format,
 * table, row and version. All nonces are random; NIST SP 800-38D, 8.3 allows 2^32 of them a key.
 *
 * A keyring is built from keys (`keyring.ts`) and then proven against the database (`assert-keyring.ts`), which also
 * gives it the root that {@link Keyring.deriveKey} works from.
 */
export class Keyring {
  readonly #keys: ReadonlyMap<string, Uint8Array>;
  readonly #first: EncryptionKey;
  #root: Uint8Array | undefined;

  /** @param keys the first one seals, all of them open. */
  constructor(keys: readonly [EncryptionKey, ...EncryptionKey[]]) {
    this.#first = keys[0];
    this.#keys = new Map(keys.map(({ id, key }) => [id, key]));
  }

  /** The ids of all keys, the sealing one first. */
  get keyIds(): readonly string[] {
    return [...this.#keys.keys()];
  }

  seal(plaintext: string | Uint8Array, sealedFor: SealedFor): Buffer {
    return this.sealWith(this.#first.id, plaintext, sealedFor);
  }

  /** Seals with a certain key: for the proofs that show which keys are right. */
  sealWith(keyId: string, plaintext: string | Uint8Array, sealedFor: SealedFor): Buffer {
    const key = this.#keyOf(keyId);
    const dataKey = randomBytes(KEY_BYTES);
    const head = headOf(keyId);
    return Buffer.concat([
      head,
      encrypt(key, dataKey, aadOf(head, sealedFor)),
      encrypt(dataKey, plaintext, aadOf(Buffer.of(FORMAT), sealedFor)),
    ]);
  }

  /**
   * Opens what {@link Keyring.seal} made.
   *
   * @throws AppError ENCRYPTION_KEY_INVALID: the key is another one, or the record was tampered with or belongs
   *   elsewhere. Postponed when the key is not here: a process that has it takes the work over. The message names none of
   *   the contents.
   */
  open(sealed: Uint8Array, sealedFor: SealedFor): Buffer {
    const { head, keyId, wrapped, encrypted } = parse(sealed);
    const dataKey = decrypt(this.#keyOf(keyId), wrapped, aadOf(head, sealedFor));
    return decrypt(dataKey, encrypted, aadOf(Buffer.of(FORMAT), sealedFor));
  }

  /**
   * Wraps a record's data key with the first key of the keyring. The text stays sealed as it is.
   *
   * @returns `undefined` when it is under that key already.
   * @throws AppError ENCRYPTION_KEY_INVALID as {@link Keyring.open} does.
   */
  rewrap(sealed: Uint8Array, sealedFor: SealedFor): Buffer | undefined {
    const { head, keyId, wrapped, encrypted } = parse(sealed);
    const { id, key } = this.#first;
    if (keyId === id) return undefined;
    const dataKey = decrypt(this.#keyOf(keyId), wrapped, aadOf(head, sealedFor));
    const newHead = headOf(id);
    return Buffer.concat([newHead, encrypt(key, dataKey, aadOf(newHead, sealedFor)), encrypted]);
  }

  /** The id of the key that a record is under. @throws AppError ENCRYPTION_KEY_INVALID when it is no sealed record. */
  keyIdOf(sealed: Uint8Array): string {
    return parse(sealed).keyId;
  }

  /**
   * A key for another purpose than sealing, such as signed links: HKDF-SHA-256 (RFC 5869) over a random root that
   * lies sealed in the database. The root never changes, so derived keys outlive a change of the encryption keys.
   *
   * @param purpose names the use; two uses never share a key.
   * @returns 32 bytes.
   * @throws AppError ENCRYPTION_KEY_INVALID before the keyring was proven against the database.
   */
  deriveKey(purpose: string): Buffer {
    if (this.#root === undefined) throw cannotOpen('the keyring was not yet proven against the database');
    return Buffer.from(hkdfSync('sha256', this.#root, '', purpose, KEY_BYTES));
  }

  /** Takes the root of derived keys; done once, when the keyring is proven. */
  adoptRoot(root: Uint8Array): void {
    this.#root = root;
  }

  #keyOf(id: string): Uint8Array {
    const key = this.#keys.get(id);
    if (key !== undefined) return key;
    const reason = `A stored secret cannot be opened: the encryption key "${id}" is not in the keyring of this process.`;
    throw new Postponed(KEY_WAIT_MS, reason, 'ENCRYPTION_KEY_INVALID');
  }
}

interface Parsed {
  readonly head: Buffer;
  readonly keyId: string;
  readonly wrapped: Buffer;
  readonly encrypted: Buffer;
}

function parse(sealed: Uint8Array): Parsed {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  const headBytes = 2 + (bytes[1] ?? 0);
  const wrappedEnd = headBytes + NONCE_BYTES + KEY_BYTES + TAG_BYTES;
  if (bytes[0] !== FORMAT || bytes.length < wrappedEnd + NONCE_BYTES + TAG_BYTES) {
    throw cannotOpen('a sealed record is not in the known format');
  }
  return {
    head: bytes.subarray(0, headBytes),
    keyId: bytes.toString('ascii', 2, headBytes),
    wrapped: bytes.subarray(headBytes, wrappedEnd),
    encrypted: bytes.subarray(wrappedEnd),
  };
}

function headOf(keyId: string): Buffer {
  const id = Buffer.from(keyId, 'ascii');
  return Buffer.concat([Buffer.of(FORMAT, id.length), id]);
}

/** JSON keeps the parts apart: no two different records have the same bytes here. */
function aadOf(head: Uint8Array, { table, row, version }: SealedFor): Buffer {
  return Buffer.concat([head, Buffer.from(JSON.stringify([table, row, version]))]);
}

/** Nonce, encrypted bytes, tag. */
function encrypt(key: Uint8Array, plaintext: string | Uint8Array, aad: Uint8Array): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }).setAAD(aad);
  const text = typeof plaintext === 'string' ? Buffer.from(plaintext, 'utf8') : plaintext;
  return Buffer.concat([nonce, cipher.update(text), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: Uint8Array, box: Buffer, aad: Uint8Array): Buffer {
  const tagAt = box.length - TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(aad).setAuthTag(box.subarray(tagAt));
  try {
    return Buffer.concat([decipher.update(box.subarray(NONCE_BYTES, tagAt)), decipher.final()]);
  } catch {
    throw cannotOpen('a sealed record does not open: another key sealed it, or it was changed or moved');
  }
}

function cannotOpen(reason: string): AppError {
  return new AppError('ENCRYPTION_KEY_INVALID', `A stored secret cannot be opened: ${reason}.`);
}
