import { describe, expect, it } from '@jest/globals';
import { parsePrefer, waitApplied } from '../../../src/lib/prefer.js';

const read = (...values: string[]): unknown => {
  const { respondAsync, waitMs } = parsePrefer(values);
  return [respondAsync, waitMs];
};

describe('parsePrefer', () => {
  it.each<[string, string[], [boolean, number | undefined]]>([
    ['nothing', [], [false, undefined]],
    ['an empty header', [''], [false, undefined]],
    ['respond-async', ['respond-async'], [true, undefined]],
    ['names in any case', ['Respond-Async, WAIT=3'], [true, 3000]],
    ['both in two headers', ['respond-async', 'wait=10'], [true, 10_000]],
    ['a quoted value', ['wait="10"'], [false, 10_000]],
    ['escapes in a quoted value', [String.raw`wait="1\0"`], [false, 10_000]],
    ['white space around everything', ['  wait \t=\t 10 \t,\trespond-async '], [true, 10_000]],
    ['empty elements of the list', [',, wait=1 ,,', ',respond-async'], [true, 1000]],
    ['an empty quoted value as none', ['respond-async=""'], [true, undefined]],
    ['no wait at all', ['wait=0'], [false, 0]],
    ['unknown preferences beside', ['return=minimal, x="a,b;c=\\"", wait=2, handling=lenient'], [false, 2000]],
    ['parameters, which mean nothing', ['respond-async; wait=5; ;x="y", wait=4;foo'], [true, 4000]],
    ['a comma in a parameter', ['x;y="1, wait=9", wait=4'], [false, 4000]],
    ['the first of duplicates', ['wait=1, wait=2', 'wait=3'], [false, 1000]],
    ['the first one, although it means nothing', ['wait=soon, wait=2'], [false, undefined]],
    ['a number beyond all numbers', [`wait=${'9'.repeat(400)}`], [false, 999_999_999_000]],
  ])('reads %s', (_, values, expected) => {
    expect(read(...values)).toEqual(expected);
  });

  it.each([
    'wait',
    'wait=',
    'wait=-1',
    'wait=1.5',
    'wait=1e3',
    'wait=0x1',
    'wait=1 2',
    'wait="1',
    'wait=1;=',
    'wait==1',
    '"wait"=1',
  ])('takes no wait from %s', (value) => {
    expect(read(value)).toEqual([false, undefined]);
  });

  it('goes on behind an element that is not well-formed', () => {
    expect(read('a=(, wait=1 x, "respond-async, wait=9", respond-async')).toEqual([true, undefined]);
    expect(read('=, @, wait=2')).toEqual([false, 2000]);
    expect(read('respond-async=now, wait=2')).toEqual([false, 2000]);
  });

  it('takes time that grows with the text only', () => {
    const startedMs = performance.now();
    for (const part of ['"', '\\"', 'a=', ';', ',', ' ', '"\\', 'a="b" '])
      parsePrefer([part.repeat(16_384 / part.length)]);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });
});

describe('waitApplied', () => {
  it('says whole seconds', () => {
    expect([waitApplied(0), waitApplied(1999), waitApplied(60_000)]).toEqual(['wait=0', 'wait=1', 'wait=60']);
  });
});
