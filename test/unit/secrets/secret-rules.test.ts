import { describe, expect, it } from '@jest/globals';
import { newSecret, ownSecretFaults, secretHint } from '../../../src/secrets/secret-rules.js';

const codes = (secret: string): string[] => ownSecretFaults(['secret'], secret).map(({ code }) => code);

describe('secrets', () => {
  it('are made of 32 random bytes', () => {
    const secret = newSecret();
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(newSecret()).not.toBe(secret);
    expect(codes(secret)).toEqual([]);
  });

  it.each([
    ['15 characters', 'a'.repeat(15), ['TOO_SHORT']],
    ['16 characters', 'a'.repeat(16), []],
    ['4096 characters', 'a'.repeat(4_096), []],
    ['4097 characters', 'a'.repeat(4_097), ['TOO_LONG']],
    ['every printable character', ` !"#$%&'()*+,-./:;<=>?@[\\]^_\`{|}~`.trim(), []],
    ['a space within', 'correct horse battery', []],
    ['a space before', ' correct horse battery', ['INVALID_CHARACTERS']],
    ['a space behind', 'correct horse battery ', ['INVALID_CHARACTERS']],
    ['a line break', 'correct horse\nbattery', ['INVALID_CHARACTERS']],
    ['a line break behind', 'correct horse battery\n', ['INVALID_CHARACTERS']],
    ['letters beyond ASCII', 'korrektes pferd grün', ['INVALID_CHARACTERS']],
  ])('that users bring along: %s', (_, secret, expected) => {
    expect(codes(secret)).toEqual(expected);
    expect(JSON.stringify(ownSecretFaults(['secret'], secret))).not.toContain(secret.trim());
  });

  it('show less of a short one', () => {
    expect(secretHint('0123456789abcdef')).toBe('…ef');
    expect(secretHint(`whsec_${'a'.repeat(40)}1234`)).toBe('…1234');
  });
});
