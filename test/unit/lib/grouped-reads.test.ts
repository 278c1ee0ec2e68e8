import { describe, expect, it } from '@jest/globals';
import { GroupedReads } from '../../../src/lib/grouped-reads.js';

/** Statements that the test answers by hand. */
function setUp() {
  const asked: (readonly string[])[] = [];
  const answers: PromiseWithResolvers<ReadonlyMap<string, string>>[] = [];
  const begun: PromiseWithResolvers<void>[] = [Promise.withResolvers()];
  const reads = new GroupedReads<string>({
    read: (keys) => {
      asked.push(keys);
      answers.push(Promise.withResolvers());
      begun.at(-1)!.resolve();
      begun.push(Promise.withResolvers());
      return answers.at(-1)!.promise;
    },
  });
  return { reads, asked, answers, nthBegin: (n: number) => begun[n]!.promise };
}

describe('GroupedReads', () => {
  it('lets all that is asked for during a statement share the next one', async () => {
    const { reads, asked, answers, nthBegin } = setUp();
    const first = [reads.get('a'), reads.get('a'), reads.get('b')];
    await nthBegin(0);
    const later = [reads.get('a'), reads.get('c'), reads.get('a')];
    expect(asked).toEqual([['a', 'b']]);
    answers[0]!.resolve(new Map([['a', 'old']]));
    expect(await Promise.all(first)).toEqual(['old', 'old', undefined]);
    await nthBegin(1);
    answers[1]!.resolve(new Map([['a', 'new']]));
    expect(await Promise.all(later)).toEqual(['new', undefined, 'new']); // never what was read before it was asked for
    expect(asked).toEqual([
      ['a', 'b'],
      ['a', 'c'],
    ]);
  });

  it('tells a failure to those who shared the statement, and goes on', async () => {
    const { reads, answers, nthBegin } = setUp();
    const failed = [reads.get('a'), reads.get('b')].map((read) => expect(read).rejects.toThrow('away'));
    await nthBegin(0);
    const later = reads.get('a');
    answers[0]!.reject(new Error('away'));
    await Promise.all(failed);
    await nthBegin(1);
    answers[1]!.resolve(new Map([['a', 'there']]));
    expect(await later).toBe('there');
  });

  it('asks for a thousand keys at most in one statement', async () => {
    const { reads, asked, answers, nthBegin } = setUp();
    const all = Array.from({ length: 1_500 }, (_, i) => reads.get(`${i}`));
    await nthBegin(0);
    answers[0]!.resolve(new Map());
    await nthBegin(1);
    answers[1]!.resolve(new Map([['1499', 'last']]));
    expect((await Promise.all(all)).at(-1)).toBe('last');
    expect(asked.map((keys) => keys.length)).toEqual([1_000, 500]);
  });
});
