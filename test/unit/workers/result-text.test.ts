import { describe, expect, it } from '@jest/globals';
import { asJsonText } from '../../../src/lib/json-text.js';
import { checkResultText, toResultText } from '../../../src/workers/result-text.js';

const INVALID = expect.objectContaining({ code: 'WORKER_OUTPUT_INVALID', retryable: false });

describe('toResultText', () => {
  it.each([
    ['nothing', undefined, 'null'],
    ['null', null, 'null'],
    ['an object', { b: 1, a: [undefined, 'x'] }, '{"b":1,"a":[null,"x"]}'],
    ['what says itself how it is written', new Date(0), '"1970-01-01T00:00:00.000Z"'],
    ['a lone surrogate', '\ud800', '"\\ud800"'],
    ['a number that JSON has not', Number.NaN, 'null'],
  ])('prints %s', (_what, value, text) => {
    expect(toResultText(value)).toBe(text);
  });

  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  let deep: unknown = 0;
  for (let i = 0; i < 100_000; i += 1) deep = [deep];

  it.each([
    ['a BigInt', { n: 1n }],
    ['a cycle', cycle],
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['what is too deep to print', deep],
    [
      'what throws',
      {
        toJSON: () => {
          throw new Error('no');
        },
      },
    ],
  ])('refuses %s', (_what, value) => {
    expect(() => toResultText(value)).toThrow(INVALID);
  });
});

describe('checkResultText', () => {
  it('counts bytes, not characters', () => {
    const text = toResultText('é'.repeat(10)); // 22 bytes, 12 characters
    expect(() => checkResultText(text, 22)).not.toThrow();
    expect(() => checkResultText(text, 21)).toThrow(INVALID);
  });

  it('takes 500 levels and not 501, and no bracket in a string for one', () => {
    const nested = (levels: number): ReturnType<typeof asJsonText> =>
      asJsonText('[ '.repeat(levels) + ' ]'.repeat(levels));
    expect(() => checkResultText(nested(500), 1_000_000)).not.toThrow();
    expect(() => checkResultText(nested(501), 1_000_000)).toThrow(INVALID);
    expect(() => checkResultText(toResultText(['[\\"{'.repeat(2_000)]), 1_000_000)).not.toThrow();
  });
});
