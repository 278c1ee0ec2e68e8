import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { Signature as HubspotSignature } from '@hubspot/api-client/lib/src/utils/signature.js';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import twilio from 'twilio/lib/webhooks/webhooks.js';
import type { ProviderRequest } from '../../../src/webhooks/verify/provider/provider.js';
import { findProvider } from '../../../src/webhooks/verify/provider/providers.js';
import { verifyProvider } from '../../../src/webhooks/verify/provider/verify-provider.js';

const NOW_MS = 1_800_000_000_000;
const PATH = '/api/v1/webhooks/wh_1';
const SECRET = 'it_is_a_secret_0123456789';

interface Sent {
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly target?: string;
  readonly publicUrl?: string;
}

/** Whether a request verifies; else the reason. */
function verdict(provider: string, sent: Sent, secret = SECRET): true | string {
  const { headers, body = '', target = PATH, publicUrl = 'https://hooks.example' } = sent;
  const rawHeaders = Object.entries(headers).flat();
  const request: ProviderRequest = { method: 'POST', publicUrl, target, rawHeaders, body: Buffer.from(body) };
  const secrets = [{ id: 's', secret, expiresAtMs: undefined }];
  const verification = verifyProvider(findProvider(provider)!, secrets, request, NOW_MS);
  return verification.verified || verification.reason;
}

const hmac = (data: string, encoding: 'hex' | 'base64', secret = SECRET): string =>
  createHmac('sha256', secret).update(data).digest(encoding);

describe('Twilio', () => {
  const form = { 'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8' };
  const body = '{"a":1}';
  const hashed = `?bodySHA256=${twilio.getExpectedBodyHash(body)}`;

  it.each([
    ['https://hooks.example', 'https://hooks.example'],
    ['https://hooks.example', 'https://hooks.example:443'],
    ['https://hooks.example:8443', 'https://hooks.example'],
    ['https://hooks.example:8443', 'https://hooks.example:8443'],
    ['http://hooks.example', 'http://hooks.example:80'],
    ['http://[::1]:3000', 'http://[::1]'],
  ])('at %s may sign for %s', (publicUrl, signedFor) => {
    const signature = twilio.getExpectedTwilioSignature(SECRET, signedFor + PATH + hashed, {});
    const headers = { 'Content-Type': 'application/json', 'X-Twilio-Signature': signature };
    expect(verdict('twilio', { publicUrl, target: PATH + hashed, headers, body })).toBe(true);
  });

  it.each(['https://hooks.example:444', 'https://other.example', 'http://hooks.example'])(
    'may not sign for %s',
    (signedFor) => {
      const signature = twilio.getExpectedTwilioSignature(SECRET, signedFor + PATH + hashed, {});
      const headers = { 'Content-Type': 'application/json', 'X-Twilio-Signature': signature };
      expect(verdict('twilio', { target: PATH + hashed, headers, body })).toContain('secret, body or URL');
    },
  );

  it('signs the parameters of a form, by name, each value once', () => {
    const parameters = { Body: 'Grüße & mehr', From: '+14155551212', MediaUrl: ['b', 'a', 'b'], Empty: '' };
    const text = 'MediaUrl=b&MediaUrl=a&MediaUrl=b&From=%2B14155551212&Body=Gr%C3%BC%C3%9Fe+%26+mehr&Empty=';
    const signature = twilio.getExpectedTwilioSignature(SECRET, `https://hooks.example${PATH}`, parameters);
    const headers = { ...form, 'X-Twilio-Signature': signature };
    expect(verdict('twilio', { headers, body: text })).toBe(true);
    expect(verdict('twilio', { headers, body: text.replace('mehr', 'weniger') })).toContain('another secret');
  });

  it.each([
    ['has no hash in the URL', '', '{"forged":true}'],
    ['has the hash of another', hashed, '{"forged":true}'],
    ['has a malformed hash', '?bodySHA256=00', '{"a":1}'],
  ])('is refused when a body that is no form %s', (_, query, sentBody) => {
    const signature = twilio.getExpectedTwilioSignature(SECRET, `https://hooks.example${PATH}${query}`, {});
    const headers = { 'Content-Type': 'application/json', 'X-Twilio-Signature': signature };
    expect(verdict('twilio', { target: PATH + query, headers, body: sentBody })).toContain('bodySHA256');
  });

  it.each(['', '&', '&&'])('takes no form %j in the place of the JSON whose hash is signed', (empty) => {
    const signature = twilio.getExpectedTwilioSignature(SECRET, `https://hooks.example${PATH}${hashed}`, {});
    const headers = { ...form, 'X-Twilio-Signature': signature };
    expect(verdict('twilio', { target: PATH + hashed, headers, body: empty })).toContain('bodySHA256');
  });
});

describe('HubSpot', () => {
  const escaped = '?a=%3A%2F%3F%40%21%24%27%28%29%2A%2C%3B&b=%25%20%26%3D';
  const decoded = `?a=:/?@!$'()*,;&b=%25%20%26%3D`;

  it.each([
    ['decoded, as HubSpot does it', decoded, true],
    ['as it is', escaped, true],
    ['decoded entirely', decodeURIComponent(escaped), expect.stringContaining('or URL')],
  ])('may sign a URL with percent-escapes %s', (_, query, expected) => {
    const options = {
      clientSecret: SECRET,
      requestBody: '[]',
      url: `https://hooks.example${PATH}${query}`,
      timestamp: NOW_MS,
      signature: '',
    };
    const headers = {
      'X-HubSpot-Request-Timestamp': String(NOW_MS),
      'X-HubSpot-Signature-v3': HubspotSignature.getSignature('POST', 'v3', options),
    };
    expect(verdict('hubspot', { target: PATH + escaped, headers, body: '[]' })).toEqual(expected);
  });
});

describe('Meta', () => {
  it('may sign text outside ASCII in its escaped form', () => {
    const body = '{"text":"äöå 👋"}';
    const escaped = String.raw`{"text":"\u00e4\u00f6\u00e5 \ud83d\udc4b"}`;
    const header = (data: string): Sent['headers'] => ({ 'X-Hub-Signature-256': `sha256=${hmac(data, 'hex')}` });
    expect(verdict('meta', { headers: header(escaped), body })).toBe(true);
    expect(verdict('meta', { headers: header(escaped), body: escaped })).toBe(true);
    expect(verdict('meta', { headers: header(escaped.toUpperCase()), body })).toContain('another secret or body');
    expect(verdict('github', { headers: header(escaped), body })).toContain('another secret or body');
  });
});

describe('GitLab', () => {
  const body = '{"object_kind":"push"}';
  const signed = (key: string | Uint8Array, format?: 'raw'): Sent['headers'] => ({
    'webhook-id': 'm1',
    'webhook-timestamp': String(NOW_MS / 1_000),
    'webhook-signature': new StandardWebhook(key, format && { format }).sign('m1', new Date(NOW_MS), body),
  });
  const secret = `whsec_${Buffer.from('thirty-two bytes of a secret, so').toString('base64')}`;

  it('may sign instead of sending the token', () => {
    expect(verdict('gitlab', { headers: signed(secret), body }, secret)).toBe(true);
    expect(verdict('gitlab', { headers: signed(secret), body: `${body} ` }, secret)).toContain('another secret');
    const old = { ...signed(secret), 'webhook-timestamp': '1' };
    expect(verdict('gitlab', { headers: old, body }, secret)).toContain('another secret or body');
  });

  it.each([
    '!!!!!!!!!!!!!!!!!!!!',
    'a plain old pass phrase',
    'a pass phrase that is long enough',
    'whsec_',
    'c2hvcnQ=',
  ])('never takes %j for a key: it would be empty or short', (token) => {
    for (const key of [Buffer.alloc(0), Buffer.from(token.replace('whsec_', ''), 'base64')]) {
      const signature = createHmac('sha256', key)
        .update(`m1.${NOW_MS / 1_000}.${body}`)
        .digest('base64');
      const headers = { ...signed(secret), 'webhook-signature': `v1,${signature}` };
      expect(verdict('gitlab', { headers, body }, token)).toContain('another secret or body');
    }
  });
});

describe('Zendesk', () => {
  it.each([
    ['2027-01-15T08:00:00Z', true],
    ['2027-01-15T09:00:00.123+01:00', true],
    ['2027-01-15T08:00:00', expect.stringContaining('malformed')],
    ['1800000000', expect.stringContaining('malformed')],
    ['2027-99-99T08:00:00Z', expect.stringContaining('malformed')],
  ])('sends ISO times: %s', (time, expected) => {
    const headers = {
      'X-Zendesk-Webhook-Signature-Timestamp': time,
      'X-Zendesk-Webhook-Signature': hmac(`${time}{}`, 'base64'),
    };
    expect(verdict('zendesk', { headers, body: '{}' })).toEqual(expected);
  });
});

describe('Microsoft Graph', () => {
  it.each([
    ['one element has another', `{"value":[{"clientState":"${SECRET}"},{"clientState":"x"}]}`],
    ['one element has none', `{"value":[{"clientState":"${SECRET}"},{}]}`],
    ['there are none', '{"value":[]}'],
    ['it is no text', '{"value":[{"clientState":1}]}'],
    ['the body is no JSON', 'value'],
    ['the body is a scalar', 'null'],
  ])('is refused when %s', (_, body) => {
    expect(verdict('microsoft-graph', { headers: {}, body })).toMatch(/secret is wrong|has no value/);
  });
});

describe('Stripe', () => {
  it('signs in v1 alone: what stands in other items is no signature', () => {
    const signature = hmac(`${NOW_MS / 1_000}.{}`, 'hex');
    const sent = (item: string): Sent => ({
      headers: { 'Stripe-Signature': `t=${NOW_MS / 1_000},${item}=${signature}` },
      body: '{}',
    });
    expect(verdict('stripe', sent('v1'))).toBe(true);
    expect(
      verdict('stripe', {
        ...sent('v0'),
        headers: { 'Stripe-Signature': `${sent('v0').headers['Stripe-Signature']!},v1=00` },
      }),
    ).toContain('another secret or body');
  });
});

describe('keys', () => {
  it.each([
    ['discord', { 'X-Signature-Ed25519': '00'.repeat(64), 'X-Signature-Timestamp': '1800000000' }],
    [
      'sendgrid',
      {
        'X-Twilio-Email-Event-Webhook-Signature': 'AAAA',
        'X-Twilio-Email-Event-Webhook-Timestamp': '1800000000',
      },
    ],
  ])('of %s that are none fit nothing', (provider, headers) => {
    for (const key of ['not a key at all', '', '00'.repeat(32), 'AAAA']) {
      expect(verdict(provider, { headers, body: '{}' }, key)).toContain('another secret or body');
    }
  });
});
