import fc from 'fast-check';
import { generatedBody } from './json-bodies.js';
import type { SenderSpec } from './request-spec.js';

const text = (...choices: string[]): fc.Arbitrary<string> => fc.constantFrom(...choices);

const HEADERS = [
  'X-Hub-Signature-256 X-Hub-Signature Stripe-Signature X-Shopify-Hmac-Sha256 X-Slack-Signature webhook-signature svix-signature',
  'X-Twilio-Signature X-Twilio-Email-Event-Webhook-Signature X-HubSpot-Signature-v3 x-zm-signature Linear-Signature X-Gitlab-Token',
  'Typeform-Signature Calendly-Webhook-Signature X-Zendesk-Webhook-Signature Paddle-Signature X-WC-Webhook-Signature',
  'X-Signature-Ed25519',
].flatMap((names) => names.split(' '));

const BESIDE = [
  'X-Slack-Request-Timestamp webhook-timestamp svix-timestamp X-Twilio-Email-Event-Webhook-Timestamp X-HubSpot-Request-Timestamp',
  'x-zm-request-timestamp X-Zendesk-Webhook-Signature-Timestamp X-Signature-Timestamp webhook-id svix-id X-GitHub-Delivery',
  'X-GitHub-Event',
].flatMap((names) => names.split(' '));

const encoded = fc.oneof(
  fc.uint8Array({ maxLength: 70 }).map((bytes) => Buffer.from(bytes).toString('hex')),
  fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  fc
    .constantFrom(20, 32, 64, 128)
    .chain((length) => fc.uint8Array({ minLength: length, maxLength: length }))
    .map((bytes) => Buffer.from(bytes).toString('hex')),
  text('', '=', '====', 'zz', '-_-_', '\u00e9\u00e9', '0x00', 'MEUCIQ==', 'MAA=', 'MAYCAQECAQE='),
);

const time = text(
  '0',
  '-1',
  '1800000000',
  '1800000000000',
  '9'.repeat(25),
  '1e99',
  'NaN',
  'Infinity',
  '0x10',
  ' ',
  '2026-01-01T00:00:00Z',
  'yesterday',
);

/** A signature in the form of some sender, or nearly. */
const signature = fc.oneof(
  fc
    .tuple(text('', 'sha256=', 'sha1=', 'v0=', 'v1,', 'v1=', 't=1,v1=', 'ts=1;h1=', '=', ','), encoded)
    .map((parts) => parts.join('')),
  fc
    .tuple(text('t', 'ts', ''), time, text(',', ';', ' '), text('v1', 'h1', 'v0'), encoded)
    .map(([key, at, and, name, code]) => `${key}=${at}${and}${name}=${code}`),
  fc.array(encoded, { maxLength: 12 }).map((all) => all.map((code) => `v1,${code}`).join(' ')),
  fc.integer({ min: 10, max: 500 }).map((n) => 'v1,A '.repeat(n)),
);

const header = fc.oneof(
  fc.tuple(fc.constantFrom(...HEADERS), signature).map(([name, value]) => `${name}: ${value}`),
  fc
    .tuple(fc.constantFrom(...BESIDE), fc.oneof(time, encoded, text('ping')))
    .map(([name, value]) => `${name}: ${value}`),
);

const body = fc.oneof(
  generatedBody.map(({ bytes }) => bytes),
  text(
    '{"type":"url_verification","challenge":"x"}',
    '{"event":"endpoint.url_validation","payload":{"plainToken":"x"}}',
    '{"type":1}',
    '{"value":[{"clientState":null},{"clientState":["x"]}]}',
    '{"value":{"length":1e9,"0":{}}}',
    '{"webhookTimestamp":1e999,"id":{"toString":1},"__proto__":{"id":1}}',
    'webhook_id=1',
    'webhook_id=%31&a[]=%zz&=&__proto__=x&%00=%ff',
    'payload=%7B%22a%22%3A1%7D',
  ).map((content) => Buffer.from(content)),
);

/** What looks as if it came from one of the senders and has no right signature. */
export function senderSpec(providers: readonly string[]): fc.Arbitrary<SenderSpec> {
  return fc.record({
    kind: fc.constant('sender' as const),
    provider: fc.constantFrom(...providers),
    method: fc.constantFrom('POST', 'POST', 'POST', 'POST', 'GET'),
    query: text(
      '',
      '',
      '?',
      '?validationToken=x',
      '?validationToken=%ff%00',
      '?hub.mode=subscribe&hub.verify_token=x&hub.challenge=1',
      '?bodySHA256=00',
      '?%zz&&==&a=b=c',
    ),
    contentType: text(
      'application/json',
      'application/json',
      'application/x-www-form-urlencoded',
      'application/x-www-form-urlencoded; charset=x',
      '',
    ),
    lines: fc.array(header, { maxLength: 5 }),
    body,
  });
}
