import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { formatId } from '../../../src/lib/ids.js';
import { answerHandshake, type HandshakeAnswer } from '../../../src/webhooks/verify/provider/handshake.js';
import { findProvider } from '../../../src/webhooks/verify/provider/providers.js';

const WEBHOOK_ID = '6e1b9d4c-6ad5-4b5a-9f37-0d7c8a1f2b3c';
const PATH = `/api/v1/webhooks/${formatId('webhook', WEBHOOK_ID)}`;
const SECRET = 'it_is_a_secret_0123456789';

interface Sent {
  readonly method?: string;
  readonly query?: string;
  readonly headers?: readonly string[];
  readonly body?: string;
  readonly verified?: boolean;
}

const answer = (provider: string, sent: Sent): HandshakeAnswer | undefined =>
  answerHandshake(
    findProvider(provider)!,
    {
      method: sent.method ?? 'POST',
      publicUrl: 'https://hooks.example',
      target: PATH + (sent.query ?? ''),
      rawHeaders: sent.headers ?? ['Content-Type', 'application/json'],
      body: Buffer.from(sent.body ?? ''),
    },
    { webhookId: WEBHOOK_ID, verifiedBy: sent.verified === false ? undefined : SECRET, secrets: [SECRET] },
  );

const json = (body: object): HandshakeAnswer => ({
  status: 200,
  contentType: 'application/json',
  body: JSON.stringify(body),
});
const text = (body: string): HandshakeAnswer => ({ status: 200, contentType: 'text/plain; charset=utf-8', body });
const encryptedToken = createHmac('sha256', SECRET).update('qgg8vlvZRS6UYooatFL8Aw').digest('hex');

/** Provider, request, answer; each is signed. */
const SIGNED: readonly (readonly [string, Sent, HandshakeAnswer])[] = [
  ['slack', { body: '{"type":"url_verification","challenge":"3eZbrw1a"}' }, json({ challenge: '3eZbrw1a' })],
  [
    'zoom',
    { body: '{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event_ts":1}' },
    json({ plainToken: 'qgg8vlvZRS6UYooatFL8Aw', encryptedToken }),
  ],
  ['discord', { body: '{"id":"1","type":1,"token":"t","version":1}' }, json({ type: 1 })],
  ['discord', { body: '{"version":1,"type":0}' }, { status: 204, contentType: 'application/json', body: '' }],
  ['github', { headers: ['X-GitHub-Event', 'ping'], body: '{}' }, json({ success: true, handshake: 'ping' })],
];

describe('signed handshakes', () => {
  it.each(SIGNED)('of %s are answered: %j', (provider, sent, expected) => {
    expect(answer(provider, sent)).toEqual(expected);
  });

  it.each(SIGNED)('of %s are not answered without a signature: %j', (provider, sent) => {
    expect(answer(provider, { ...sent, verified: false })).toBeUndefined();
  });

  it.each([
    ['slack', '{"type":"event_callback","challenge":"x"}'],
    ['slack', '{"type":"url_verification"}'],
    ['slack', '{"type":"url_verification","challenge":{}}'],
    ['slack', 'no json'],
    ['zoom', '{"event":"meeting.started","payload":{"plainToken":"x"}}'],
    ['zoom', '{"event":"endpoint.url_validation","payload":{"__proto__":{"plainToken":"x"}}}'],
    ['discord', '{"type":1,"event":{"type":"ENTITLEMENT_CREATE"}}'],
    ['discord', '{"type":2}'],
    ['github', '{"zen":"x"}'],
    ['stripe', '{"type":"url_verification","challenge":"x"}'],
  ])('of %s are not seen in %s', (provider, body) => {
    expect(answer(provider, { body })).toBeUndefined();
  });
});

describe("Meta's subscription", () => {
  const ask = (token: string, more = ''): Sent => ({
    method: 'GET',
    verified: false,
    query: `?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=${encodeURIComponent(token)}${more}`,
  });

  it.each([formatId('webhook', WEBHOOK_ID), SECRET])('is confirmed for the verify token %s', (token) => {
    expect(answer('meta', ask(token))).toEqual(text('1158201444'));
  });

  it('is refused for another token, another mode and without a challenge', () => {
    expect(answer('meta', ask('wh_other'))).toBeUndefined();
    expect(answer('meta', ask(''))).toBeUndefined();
    expect(answer('meta', { ...ask(SECRET), query: ask(SECRET).query!.replace('subscribe', 'other') })).toBeUndefined();
    expect(answer('meta', { ...ask(SECRET), query: ask(SECRET).query!.replace('1158201444', '') })).toBeUndefined();
    expect(answer('meta', { ...ask(SECRET), method: 'POST' })).toBeUndefined();
  });
});

describe("Microsoft Graph's validation token", () => {
  it('comes back decoded, as plain text', () => {
    const query = '?validationToken=Validation%3A+Testing+client+application+%3Cb%3E';
    const sent = { query, verified: false };
    expect(answer('microsoft-graph', sent)).toEqual(text('Validation: Testing client application <b>'));
    expect(answer('microsoft-graph', { verified: false })).toBeUndefined();
    expect(
      answer('microsoft-graph', { query: `?validationToken=${'a'.repeat(5_000)}`, verified: false }),
    ).toBeUndefined();
  });
});

describe("WooCommerce's ping", () => {
  const headers = ['Content-Type', 'application/x-www-form-urlencoded'];
  it('is answered unsigned with 200', () => {
    const ping = { headers, body: 'webhook_id=12', verified: false };
    expect(answer('woocommerce', ping)).toEqual(json({ success: true, handshake: 'ping' }));
  });

  it.each(['webhook_id=', 'webhook_id=1&a=2', 'a=1', '{"id":1}'])('is not %s', (body) => {
    expect(answer('woocommerce', { headers, body, verified: false })).toBeUndefined();
  });

  it('is a form', () => {
    expect(answer('woocommerce', { body: 'webhook_id=12', verified: false })).toBeUndefined();
  });
});
