import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { recordedHeaders } from '../../../src/webhooks/verify/incoming-headers.js';
import {
  type Authentication,
  type ValidSecret,
  verifyCredential,
} from '../../../src/webhooks/verify/verify-credential.js';

const NOW_MS = 1_800_000_000_000;
const body = Buffer.from('{"zen":"Ünïcode"}');
const active: ValidSecret = { id: 'new', secret: 'whsec_active', expiresAtMs: undefined };
const retiring: ValidSecret = { id: 'old', secret: 'whsec_retiring', expiresAtMs: NOW_MS + 1 };
const hmac: Authentication = { method: 'HMAC_SIGNATURE', headerName: 'x-webhook-signature', headerPrefix: 'sha256=' };
const bearer: Authentication = { method: 'BEARER_TOKEN', headerName: 'authorization', headerPrefix: 'Bearer ' };
const custom: Authentication = { method: 'CUSTOM_HEADER', headerName: 'x-shop', headerPrefix: 'key:' };
const sign = (secret: string, data: Buffer = body): string =>
  `sha256=${createHmac('sha256', secret).update(data).digest('hex')}`;

describe('verifyCredential', () => {
  it.each([
    ['the active secret', sign('whsec_active'), 'new'],
    ['a retiring secret', sign('whsec_retiring'), 'old'],
    ['upper-case hex', `sha256=${sign('whsec_active').slice(7).toUpperCase()}`, 'new'],
  ])('accepts an HMAC of %s', (_, value, secretId) => {
    const result = verifyCredential(hmac, [active, retiring], ['X-Webhook-Signature', value], body, NOW_MS);
    expect(result).toEqual({ verified: true, secretId });
  });

  it.each([
    ['another secret', [sign('whsec_other')], 'another secret or body'],
    ['another body', [sign('whsec_active', Buffer.from('{}'))], 'another secret or body'],
    ['no prefix', [sign('whsec_active').slice(7)], 'does not begin with'],
    ['no hex', [`sha256=${'z'.repeat(64)}`], 'not a hex'],
    ['a short value', ['sha256=00'], 'not a hex'],
    ['text outside ASCII', ['sha256=\u00fc'], 'not a hex'],
    ['the header twice', [sign('whsec_active'), sign('whsec_active')], 'sent 2 times'],
    ['no header', [], 'missing'],
  ])('refuses %s and says why', (_, values, reason) => {
    const rawHeaders = values.flatMap((value) => ['x-webhook-signature', value]);
    expect(verifyCredential(hmac, [active], rawHeaders, body, NOW_MS)).toEqual({
      verified: false,
      reason: expect.stringContaining(reason),
    });
  });

  it('refuses a retiring secret from the moment of its expiry', () => {
    const headers = ['x-webhook-signature', sign('whsec_retiring')];
    expect(verifyCredential(hmac, [active, retiring], headers, body, NOW_MS + 1)).toMatchObject({
      verified: false,
      reason: expect.stringContaining('expired'),
    });
  });

  it('compares the secret itself for the methods that send it, scheme in any case', () => {
    expect(verifyCredential(bearer, [active], ['Authorization', 'bearer whsec_active'], body, NOW_MS).verified).toBe(
      true,
    );
    expect(verifyCredential(bearer, [active], ['Authorization', 'Bearer whsec_activ'], body, NOW_MS).verified).toBe(
      false,
    );
    expect(verifyCredential(custom, [active], ['X-SHOP', 'key:whsec_active'], body, NOW_MS).verified).toBe(true);
    expect(verifyCredential(custom, [active], ['X-SHOP', 'KEY:whsec_active'], body, NOW_MS).verified).toBe(false);
  });

  it('refuses everything when there is no secret', () => {
    expect(verifyCredential(bearer, [], ['authorization', 'Bearer '], body, NOW_MS).verified).toBe(false);
  });
});

describe('recordedHeaders', () => {
  it('removes credentials and keeps the rest, repeated headers joined', () => {
    const rawHeaders = ['Authorization', 'Bearer a', 'X-Shop', 'key:b', 'Accept', 'x', 'accept', 'y', '__proto__', 'z'];
    const recorded = recordedHeaders(rawHeaders, { header: 'x-shop', secrets: [] });
    expect({ ...recorded }).toEqual({
      authorization: '[removed]',
      'x-shop': '[removed]',
      accept: 'x, y',
      ['__proto__']: 'z',
    });
  });

  it("removes the webhook's secrets and our own tokens wherever they stand", () => {
    const rawHeaders = ['X-Copy', 'key=sesame-open-1;', 'X-Old', 'whsec_abc', 'X-Tok', 'wha_1', 'X-Fine', 'sesame'];
    const credentials = { header: 'x-shop', secrets: ['sesame-open-1'] };
    expect({ ...recordedHeaders(rawHeaders, credentials) }).toEqual({
      'x-copy': '[removed]',
      'x-old': '[removed]',
      'x-tok': '[removed]',
      'x-fine': 'sesame',
    });
    expect({ ...recordedHeaders(rawHeaders, credentials, 'left-out') }).toEqual({ 'x-fine': 'sesame' });
  });
});
