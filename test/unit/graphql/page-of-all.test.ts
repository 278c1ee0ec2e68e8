import { describe, expect, it } from '@jest/globals';
import { pageRequest } from '../../../src/graphql/connections.js';
import { printCursor, readCursor } from '../../../src/graphql/cursor.js';
import { keysetRequest } from '../../../src/graphql/keyset-connection.js';
import { pageOfAll } from '../../../src/graphql/page-of-all.js';

const LETTERS = ['a', 'b', 'c', 'd', 'e'];
const page = (args: Parameters<typeof pageOfAll>[2]) => {
  const { edges, hasNextPage, hasPreviousPage } = pageOfAll(LETTERS, (letter) => letter, args);
  return [edges.map(({ node }) => node).join(''), hasPreviousPage, hasNextPage];
};
const at = (letter: string): string => printCursor([letter]);

describe('a page of a short list', () => {
  it.each([
    [{}, ['abcde', false, false]],
    [{ first: 2 }, ['ab', false, true]],
    [{ first: 2, after: at('b') }, ['cd', true, true]],
    [{ first: 2, after: at('d') }, ['e', true, false]],
    [{ first: 0 }, ['', false, true]],
    [{ last: 2 }, ['de', true, false]],
    [{ last: 2, before: at('d') }, ['bc', true, true]],
    [{ last: 2, before: at('b') }, ['a', false, true]],
    [{ first: 9, after: at('a'), before: at('d') }, ['bc', true, false]],
    [{ first: 9, after: at('d'), before: at('b') }, ['', true, false]],
  ])('%j', (args, expected) => {
    expect(page(args)).toEqual(expected);
  });

  it('counts the whole list', async () => {
    await expect(pageOfAll(LETTERS, (letter) => letter, { first: 1 }).count()).resolves.toBe(5);
  });

  it.each([{ after: at('z') }, { before: 'nonsense' }, { first: 1, last: 1 }, { first: -1 }, { last: 101 }])(
    'refuses %j',
    (args) => {
      expect(() => page(args)).toThrow(expect.objectContaining({ code: 'BAD_USER_INPUT' }));
    },
  );
});

describe('a page that is asked for', () => {
  it('has 25 items from the front without a word', () => {
    expect(pageRequest({})).toEqual({ limit: 25, fromEnd: false, after: undefined, before: undefined });
    expect(pageRequest({ first: null, last: null, after: null }).limit).toBe(25);
  });

  it.each(['nonsense', printCursor(['a']), 'exec-0'])('refuses %s as a cursor of calls', (after) => {
    expect(() => keysetRequest('call', { after })).toThrow(expect.objectContaining({ code: 'BAD_USER_INPUT' }));
  });
});

describe('a cursor', () => {
  it('reads back what was printed', () => {
    expect(readCursor(printCursor(['Größe "1"', 'worker-x']), 2)).toEqual(['Größe "1"', 'worker-x']);
  });

  it.each([
    printCursor(['one']),
    Buffer.from('[1,2]').toString('base64url'),
    Buffer.from('{}').toString('base64url'),
    '',
  ])('refuses %s where two parts belong', (cursor) => {
    expect(() => readCursor(cursor, 2)).toThrow(expect.objectContaining({ code: 'BAD_USER_INPUT' }));
  });
});
