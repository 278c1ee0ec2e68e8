import { describe, expect, it } from '@jest/globals';
import { parseJsonPointer, valueAt } from '../../../src/lib/json-pointer.js';

/** RFC 6901, 5. */
const DOCUMENT = {
  foo: ['bar', 'baz'],
  '': 0,
  'a/b': 1,
  'c%d': 2,
  'e^f': 3,
  'g|h': 4,
  'i\\j': 5,
  'k"l': 6,
  ' ': 7,
  'm~n': 8,
};

describe('JSON pointers', () => {
  it.each([
    ['', DOCUMENT],
    ['/foo', ['bar', 'baz']],
    ['/foo/0', 'bar'],
    ['/', 0],
    ['/a~1b', 1],
    ['/c%d', 2],
    ['/e^f', 3],
    ['/g|h', 4],
    ['/i\\j', 5],
    ['/k"l', 6],
    ['/ ', 7],
    ['/m~0n', 8],
  ])('read %j as the RFC does', (pointer, value) => {
    expect(valueAt(DOCUMENT, parseJsonPointer(pointer)!)).toEqual(value);
  });

  it('read ~01 as ~1', () => {
    expect(parseJsonPointer('/~01')).toEqual(['~1']);
  });

  it.each(['foo', '/~', '/~2', '/a~'])('refuse %j', (pointer) => {
    expect(parseJsonPointer(pointer)).toBeUndefined();
  });

  it.each(['/none', '/foo/2', '/foo/00', '/foo/-', '/foo/length', '/toString', '/a~1b/x'])(
    'find nothing at %j',
    (pointer) => {
      expect(valueAt(DOCUMENT, parseJsonPointer(pointer)!)).toBeUndefined();
    },
  );
});
