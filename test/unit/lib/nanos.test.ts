import { describe, expect, it } from '@jest/globals';
import { parseNanos, printNanos } from '../../../src/lib/nanos.js';

describe('billionths', () => {
  it.each([
    ['0', 0n],
    ['1', 1_000_000_000n],
    ['2.5', 2_500_000_000n],
    ['0.000000001', 1n],
    ['999999999.999999999', 999_999_999_999_999_999n],
  ])('%s', (text, nanos) => {
    expect(parseNanos(text)).toBe(nanos);
    expect(printNanos(nanos)).toBe(text);
  });

  it.each(['', '.5', '5.', '-1', '1e3', '0.0000000001', '1000000000', ' 1', '0x1', '1,5'])('refuses %j', (text) => {
    expect(parseNanos(text)).toBeUndefined();
  });
});
