import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isBelow, urlBelow } from '../../../src/outbound/url-below.js';

const BASE = 'https://erp.example/api/v1';

describe('urlBelow', () => {
  it.each([
    ['', 'https://erp.example/api/v1'],
    ['/', 'https://erp.example/api/v1'],
    ['orders', 'https://erp.example/api/v1/orders'],
    ['/orders/7/', 'https://erp.example/api/v1/orders/7/'],
    ['/orders?limit=5&x=a/../b', 'https://erp.example/api/v1/orders?limit=5&x=a/../b'],
    ['?limit=5', 'https://erp.example/api/v1?limit=5'],
    ['/group%2Fproject', 'https://erp.example/api/v1/group%2Fproject'],
    ['/a b/ü', 'https://erp.example/api/v1/a%20b/%C3%BC'],
    ['/100%25', 'https://erp.example/api/v1/100%25'],
    ['/..foo/...', 'https://erp.example/api/v1/..foo/...'],
    ['/a:b@c', 'https://erp.example/api/v1/a:b@c'],
    ['https:evil.example', 'https://erp.example/api/v1/https:evil.example'],
  ])('puts %j below the base', (path, expected) => {
    expect(urlBelow(BASE, path).href).toBe(expected);
  });

  it('keeps a slash at the end of the base, and needs none', () => {
    expect(urlBelow('https://erp.example/mcp/', '').href).toBe('https://erp.example/mcp/');
    expect(urlBelow('https://erp.example/mcp/', 'a').href).toBe('https://erp.example/mcp/a');
    expect(urlBelow('https://erp.example', 'a').href).toBe('https://erp.example/a');
  });

  it.each([
    ['..'],
    ['/../admin'],
    ['/a/../../admin'],
    ['/./a'],
    ['/%2e%2e/admin'],
    ['/.%2E/admin'],
    ['/%252e%252e/admin'],
    ['/%25252e%25252e/admin'],
    ['/..%2fadmin'],
    ['/..%252fadmin'],
    ['/a%2f..%2f..%2f..%2fadmin'],
    ['/..;/admin'],
    ['/..;x=1/admin'],
    ['/%2e%2e%3b/admin'],
    ['\\..\\admin'],
    ['/..\\admin'],
    ['/..%5cadmin'],
    ['/a%5c..%5c..'],
    ['//evil.example/x'],
    ['///evil.example'],
    ['/\\evil.example'],
    ['https://evil.example/'],
    ['HTTPS://evil.example/'],
    ['http:///evil.example'],
    ['/a//b'],
    ['/.\t./admin'],
    ['/.\n./admin'],
    ['/a\r\nX-Injected: 1'],
    ['/a%0d%0aX-Injected:%201'],
    ['/a%00b'],
    ['/a\u0000'],
    ['/.. '],
    ['/.. ?'],
    ['/%20../admin'],
    ['/a#fragment'],
    ['/%'],
    ['/%zz'],
    ['/%c0%ae%c0%ae/admin'],
    ['/\ud800'],
  ])('refuses %j', (path) => {
    expect(() => urlBelow(BASE, path)).toThrow(expect.objectContaining({ code: 'OUTBOUND_PATH_INVALID' }));
  });

  it('never leaves the base, whatever the path is', () => {
    const piece = fc.constantFrom('..', '.', '/', '\\', '%2e', '%2f', '%5c', '%25', ';', '@', ':', '?', ' ', '\t', 'a');
    const path = fc.array(fc.oneof(piece, fc.string({ maxLength: 3 })), { maxLength: 12 }).map((all) => all.join(''));
    fc.assert(
      fc.property(path, (text) => {
        let url: URL;
        try {
          url = urlBelow(BASE, text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'OUTBOUND_PATH_INVALID' });
          return;
        }
        // What stands on the wire is parsed once more, and decoded by a careless server.
        const again = new URL(url.href);
        expect(again.origin).toBe('https://erp.example');
        expect(`${again.pathname}/`).toMatch(/^\/api\/v1\//);
        const careless = new URL(again.origin + decodeURIComponent(again.pathname).replaceAll('\\', '/'));
        expect(`${careless.pathname}/`).toMatch(/^\/api\/v1\//);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('isBelow', () => {
  it.each<[boolean, string]>([
    [true, 'https://erp.example/api/v1'],
    [true, 'https://erp.example/api/v1/'],
    [true, 'https://ERP.example:443/api/v1/a?b#c'],
    [false, 'https://erp.example/api/v10'],
    [false, 'https://erp.example/api'],
    [false, 'https://erp.example/api/v1/../v2'],
    [false, 'https://erp.example/api/v1/%2e%2e/v2'],
    [false, 'https://erp.example/api/v1/..%2fv2'],
    [false, 'https://erp.example/.well-known/x'],
    [false, 'http://erp.example/api/v1'],
    [false, 'https://erp.example:8443/api/v1'],
    [false, 'https://erp.example.evil.example/api/v1'],
  ])('says %s of %s', (expected, url) => {
    expect(isBelow(BASE, new URL(url))).toBe(expected);
  });
});
