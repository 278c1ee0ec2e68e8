import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { JSON_DEPTH_MAX, scanJson } from '../../../src/lib/json-scan.js';

const scan = (text: string | Buffer): ReturnType<typeof scanJson> => scanJson(Buffer.from(text));
const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

describe('scanJson', () => {
  it('takes every JSON object and gives its text back unchanged', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 5 })), (object) => {
        const text = JSON.stringify(object);
        expect(scan(text)).toEqual({ value: JSON.parse(text), text });
      }),
    );
  });

  it.each([
    ['{"a":"\\u0000"}', 'an escaped NUL'],
    ['{"a":"\\ud800"}', 'a lone surrogate'],
    ['{"n":12345678901234567890.1e999}', 'numbers beyond a double'],
    ['{"a":1,"a":2}', 'duplicate keys'],
    ['{"a":"[[[[{{{{\\""}', 'brackets and an escaped quote inside a string'],
    [' \r\n\t{ } ', 'white space'],
  ])('takes %s (%s)', (text) => {
    expect(scan(text)).toMatchObject({ text });
  });

  it('touches no prototype', () => {
    const scanned = scan('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}');
    expect(scanned).toHaveProperty('value');
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it.each([
    ['', 'empty'],
    ['\ufeff{}', 'byte-order-mark'],
    ['[]', 'not-an-object'],
    ['"text"', 'not-an-object'],
    ['null', 'not-an-object'],
    ['{"a":1', 'syntax'],
    ['{"a":1}}', 'syntax'],
    ["{'a':1}", 'syntax'],
    ['{"a":NaN}', 'syntax'],
    ['{"a":\u0000}', 'syntax'],
  ])('refuses %j as %s', (text, fault) => {
    expect(scan(text)).toMatchObject({ fault });
  });

  it('refuses invalid UTF-8', () => {
    expect(scan(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toMatchObject({ fault: 'invalid-utf8' });
  });

  it('refuses one level too many and takes the last one allowed', () => {
    expect(scan(nested(JSON_DEPTH_MAX))).toHaveProperty('value');
    expect(scan(nested(JSON_DEPTH_MAX + 1))).toEqual({ fault: 'too-deep' });
  });

  it('finds depth before parsing, so a million brackets are no stack overflow', () => {
    expect(scan('{"a":'.repeat(200_000))).toEqual({ fault: 'too-deep' });
  });

  it('never quotes the payload in a fault', () => {
    expect(JSON.stringify(scan('{"secret-canary" 1}'))).not.toContain('canary');
  });
});
