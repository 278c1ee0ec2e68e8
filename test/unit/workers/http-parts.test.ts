import { describe, expect, it } from '@jest/globals';
import type { OutboundResponse } from '../../../src/outbound/outbound-client.js';
import { outboundHeaders } from '../../../src/outbound/outbound-headers.js';
import { outboundUrl } from '../../../src/outbound/outbound-url.js';
import { newSigningSecret, signingSecret } from '../../../src/workers/http/http-definition.js';
import { responseResult } from '../../../src/workers/http/response-result.js';
import { parseRetryAfter } from '../../../src/lib/retry-after.js';

describe('parseRetryAfter', () => {
  const now = Date.UTC(2026, 0, 1, 0, 0, 0);

  it.each<[string, string | undefined, number | undefined]>([
    ['seconds', '120', 120_000],
    ['none', undefined, undefined],
    ['zero', '0', 0],
    ['an HTTP date', 'Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['the old form of a date', 'Thursday, 01-Jan-26 00:00:30 GMT', 30_000],
    ['a date that has passed', 'Wed, 31 Dec 2025 23:59:00 GMT', 0],
    ['a century', '3153600000', 3_600_000],
    ['a date far away', 'Fri, 01 Jan 2100 00:00:00 GMT', 3_600_000],
    ['a fraction', '1.5', undefined],
    ['a minus', '-1', undefined],
    ['a word', 'soon', undefined],
    ['another form of date', '2026-01-01T00:00:30Z', undefined],
    ['nothing', '', undefined],
  ])('reads %s', (_what, value, expected) => {
    expect(parseRetryAfter(value, now)).toBe(expected);
  });
});

describe('responseResult', () => {
  const response = (body: string | Buffer, more: Partial<OutboundResponse> = {}): OutboundResponse => ({
    status: 200,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: Buffer.from(body),
    truncated: false,
    ...more,
  });

  it('keeps a JSON body as it came', () => {
    const text = responseResult(response(' {"n": 12345678901234567890, "n2": 1.0} '), 10_000);
    expect(text).toBe(
      '{"status":200,"headers":{"content-type":"application/json; charset=utf-8"},"body":{"n": 12345678901234567890, "n2": 1.0}}',
    );
  });

  it.each([
    ['application/json', '{"a":1}', { a: 1 }],
    ['application/problem+json', '{"a":1}', { a: 1 }],
    ['APPLICATION/JSON', '[1]', [1]],
    ['application/json', '{"a":', '{"a":'],
    ['text/plain', '{"a":1}', '{"a":1}'],
    ['application/jsonp', '1', '1'],
    ['application/json', '', null],
    ['text/plain', 'ü', 'ü'],
  ])('takes %s %j for %j', (contentType, body, expected) => {
    const result = JSON.parse(
      responseResult(response(body, { headers: { 'content-type': contentType } }), 10_000),
    ) as object;
    expect(result).toMatchObject({ body: expected });
    expect(result).not.toHaveProperty('truncated');
  });

  it('withholds cookies and joins what is there more than once', () => {
    const headers = { 'set-cookie': ['session=hunter2'], link: ['<a>', '<b>'] };
    const result = responseResult(response('x', { headers }), 10_000);
    expect(result).not.toContain('hunter2');
    expect(JSON.parse(result)).toMatchObject({ headers: { link: '<a>, <b>' } });
  });

  it.each([
    ['cut on its way', response('{"a":"xx', { truncated: true })],
    ['too long for a result', response(JSON.stringify({ a: 'x'.repeat(900) }))],
    ['too long once escaped', response('\u0001'.repeat(300), { headers: {} })],
    ['of many bytes a character', response('€'.repeat(400), { headers: {} })],
  ])('marks a body %s, and fits', (_what, cut) => {
    const text = responseResult(cut, 500);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(500);
    expect(JSON.parse(text)).toMatchObject({ truncated: true, body: expect.any(String) });
  });
});

describe('settings of an HTTP worker', () => {
  it('takes URLs that outbound requests may have', () => {
    expect(outboundUrl.parse('HTTPS://Example.com/a b')).toBe('https://example.com/a%20b');
    for (const wrong of ['example.com', 'ftp://example.com', 'https://u:p@example.com', 'file:///etc/passwd', '']) {
      expect(outboundUrl.safeParse(wrong).success).toBe(false);
    }
  });

  it('takes headers that are headers and not ours', () => {
    expect(outboundHeaders.safeParse({ Authorization: 'Bearer x', 'X-Tenant': '1' }).success).toBe(true);
    for (const wrong of [
      { Host: 'example.com' },
      { 'content-length': '1' },
      { 'Webhook-Signature': 'v1,x' },
      { 'a b': 'c' },
      { a: 'b\r\nc: d' },
      { A: '1', a: '2' },
      { a: '✓' },
    ]) {
      expect(outboundHeaders.safeParse(wrong).success).toBe(false);
    }
  });

  it('takes Standard Webhooks secrets of 24 to 64 bytes', () => {
    const of = (bytes: number): string => `whsec_${Buffer.alloc(bytes, 1).toString('base64')}`;
    expect(signingSecret.safeParse(newSigningSecret()).success).toBe(true);
    expect(newSigningSecret()).not.toBe(newSigningSecret());
    expect([23, 24, 64, 65].map((bytes) => signingSecret.safeParse(of(bytes)).success)).toEqual([
      false,
      true,
      true,
      false,
    ]);
    for (const wrong of ['whsec_', 'hunter2', `whsec_${'!'.repeat(40)}`, of(24).slice('whsec_'.length)]) {
      expect(signingSecret.safeParse(wrong).success).toBe(false);
    }
  });
});
