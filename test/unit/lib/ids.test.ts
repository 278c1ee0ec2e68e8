import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeBase32, encodeBase32 } from '../../../src/lib/base32.js';
import {
  formatId,
  isWorkerId,
  newRandomUuid,
  newUuidV7,
  newWorkerId,
  parseId,
  uuidV7Floor,
  uuidV7Time,
} from '../../../src/lib/ids.js';

const sixteenBytes = fc.uint8Array({ minLength: 16, maxLength: 16 });

describe('base32', () => {
  it('decodes what it encoded', () => {
    fc.assert(
      fc.property(sixteenBytes, (bytes) => {
        expect(decodeBase32(encodeBase32(bytes))).toEqual(Uint8Array.from(bytes));
      }),
    );
  });

  it('keeps the order of the bytes', () => {
    fc.assert(
      fc.property(sixteenBytes, sixteenBytes, (a, b) => {
        const byBytes = Math.sign(Buffer.compare(a, b));
        const byText = encodeBase32(a) < encodeBase32(b) ? -1 : encodeBase32(a) > encodeBase32(b) ? 1 : 0;
        expect(byText).toBe(byBytes);
      }),
    );
  });

  it.each([
    ['', 'empty'],
    ['0123456789abcdefghjkmnpqr', 'short'],
    ['80000000000000000000000000', 'more than 128 bits'],
    ['0000000000000000000000000U', 'upper case'],
    ['0000000000000000000000000l', 'a letter outside the alphabet'],
    ['0000000000000000000000000ü', 'not ASCII'],
  ])('refuses %j (%s)', (text) => {
    expect(decodeBase32(text)).toBeUndefined();
  });
});

describe('ids', () => {
  it('carries the time of a UUIDv7 and its version and variant', () => {
    const uuid = newUuidV7(1_763_900_000_123);
    expect(uuidV7Time(uuid)).toBe(1_763_900_000_123);
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('sorts ids of a later millisecond after all of an earlier one', () => {
    expect(newUuidV7(1_000) < uuidV7Floor(1_001)).toBe(true);
    expect(uuidV7Floor(1_001) <= newUuidV7(1_001)).toBe(true);
  });

  it('never repeats an id', () => {
    const ids = new Set(Array.from({ length: 10_000 }, () => newUuidV7(5)));
    expect(ids.size).toBe(10_000);
  });

  it('reads back the public form, and only of the same kind', () => {
    const uuid = newRandomUuid();
    const id = formatId('webhook', uuid);
    expect(id).toMatch(/^wh_[0-9a-hjkmnp-tv-z]{26}$/);
    expect(parseId('webhook', id)).toBe(uuid);
    expect(parseId('call', id)).toBeUndefined();
    expect(parseId('webhook', id.toUpperCase())).toBeUndefined();
    expect(parseId('webhook', `${id}0`)).toBeUndefined();
  });

  it('tells worker ids from other texts', () => {
    expect(isWorkerId(newWorkerId())).toBe(true);
    expect(isWorkerId('worker-lead-enrichment')).toBe(true);
    for (const text of ['worker-', 'worker--x', 'worker-x-', 'worker-X', 'echo', `worker-${'x'.repeat(64)}`]) {
      expect(isWorkerId(text)).toBe(false);
    }
  });
});
