import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { AppError, Postponed } from '../../../src/errors.js';
import { type EncryptionKey, Keyring, type SealedFor } from '../../../src/secrets/seal.js';

const key = (id: string): EncryptionKey => ({ id, key: randomBytes(32) });

const ROW: SealedFor = { table: 'webhook_secrets', row: 'a', version: 1 };

const CANARY = 'whsec_canary-7c1f';

function failureOf(work: () => unknown): AppError | Postponed {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError || error instanceof Postponed) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

describe('sealing', () => {
  it('opens what it sealed, text and bytes', () => {
    const keyring = new Keyring([key('k1')]);
    expect(keyring.open(keyring.seal('grün', ROW), ROW).toString('utf8')).toBe('grün');
    expect(keyring.open(keyring.seal(Buffer.alloc(0), ROW), ROW)).toHaveLength(0);
  });

  it('never seals the same text to the same bytes, and shows none of it', () => {
    const keyring = new Keyring([key('k1')]);
    const [first, second] = [keyring.seal(CANARY, ROW), keyring.seal(CANARY, ROW)];
    expect(first.equals(second)).toBe(false);
    expect(first.includes(CANARY)).toBe(false);
  });

  it('does not open with another key of the same name', () => {
    const sealed = new Keyring([key('k1')]).seal(CANARY, ROW);
    const failure = failureOf(() => new Keyring([key('k1')]).open(sealed, ROW));
    expect(failure.code).toBe('ENCRYPTION_KEY_INVALID');
    expect(failure.message).not.toContain(CANARY);
  });

  it('names the key that is missing', () => {
    const sealed = new Keyring([key('k1')]).seal(CANARY, ROW);
    const failure = failureOf(() => new Keyring([key('k2')]).open(sealed, ROW));
    expect(failure.message).toContain('"k1" is not in the keyring');
    expect(failure).toBeInstanceOf(Postponed); // another process may have it
  });

  it.each([
    ['table', { ...ROW, table: 'models' }],
    ['row', { ...ROW, row: 'b' }],
    ['version', { ...ROW, version: 2 }],
  ])('does not open in another %s', (_, elsewhere) => {
    const keyring = new Keyring([key('k1')]);
    expect(failureOf(() => keyring.open(keyring.seal(CANARY, ROW), elsewhere)).code).toBe('ENCRYPTION_KEY_INVALID');
  });

  it('notices every changed byte and every cut', () => {
    const keyring = new Keyring([key('k1')]);
    const sealed = keyring.seal(CANARY, ROW);
    for (let i = 0; i < sealed.length; i += 1) {
      const tampered = Buffer.from(sealed);
      tampered[i]! ^= 1;
      expect(failureOf(() => keyring.open(tampered, ROW)).code).toBe('ENCRYPTION_KEY_INVALID');
      expect(failureOf(() => keyring.open(sealed.subarray(0, i), ROW)).code).toBe('ENCRYPTION_KEY_INVALID');
    }
    expect(keyring.open(sealed, ROW).toString()).toBe(CANARY);
  });

  it('does not take the data key of one record for another', () => {
    const keyring = new Keyring([key('k1')]);
    const [ours, theirs] = [keyring.seal('ours', ROW), keyring.seal('theirs', { ...ROW, row: 'b' })];
    const head = 2 + 'k1'.length + 12 + 32 + 16;
    const mixed = Buffer.concat([theirs.subarray(0, head), ours.subarray(head)]);
    expect(failureOf(() => keyring.open(mixed, ROW)).code).toBe('ENCRYPTION_KEY_INVALID');
  });

  it('opens with every key of the ring and seals with the first', () => {
    const [old, young] = [key('old'), key('young')];
    const sealed = new Keyring([old]).seal(CANARY, ROW);
    const both = new Keyring([young, old]);
    expect(both.open(sealed, ROW).toString()).toBe(CANARY);
    expect(new Keyring([young]).open(both.seal(CANARY, ROW), ROW).toString()).toBe(CANARY);
  });
});

describe('derived keys', () => {
  it('depend on the root and the purpose, not on the encryption keys', () => {
    const root = randomBytes(32);
    const [one, two, other] = [new Keyring([key('a')]), new Keyring([key('b')]), new Keyring([key('a')])];
    one.adoptRoot(root);
    two.adoptRoot(root);
    other.adoptRoot(randomBytes(32));
    expect(one.deriveKey('links')).toHaveLength(32);
    expect(one.deriveKey('links').equals(two.deriveKey('links'))).toBe(true);
    expect(one.deriveKey('links').equals(one.deriveKey('other'))).toBe(false);
    expect(one.deriveKey('links').equals(other.deriveKey('links'))).toBe(false);
  });

  it('are not to be had before the keyring is proven', () => {
    expect(failureOf(() => new Keyring([key('a')]).deriveKey('links')).code).toBe('ENCRYPTION_KEY_INVALID');
  });
});
