import { describe, expect, it } from '@jest/globals';
import { findProvider } from '../../../src/webhooks/verify/provider/providers.js';
import { signAs } from '../../../src/webhooks/verify/provider/sign.js';
import { KEYED_SENDERS } from '../../support/senders/keyed.js';
import { PLAIN_SENDERS } from '../../support/senders/plain.js';
import { JSON_HEADERS, type SenderRequest } from '../../support/senders/sender.js';
import { TIMED_SENDERS } from '../../support/senders/timed.js';

const PUBLIC_URL = 'https://hooks.example';

/** What a test call carries, as the sender's own library gets it. */
function testCall(provider: string, secret: string, body: string): SenderRequest | undefined {
  const request = { method: 'POST', publicUrl: PUBLIC_URL, target: '/api/v1/webhooks/wh_1', body: Buffer.from(body) };
  const proof = signAs(findProvider(provider)!, secret, request, { id: 'msg_1', nowMs: Date.now() });
  return (
    proof && {
      body,
      url: PUBLIC_URL + proof.target,
      headers: { ...JSON_HEADERS, ...EXPECTED_BESIDES[provider], ...Object.fromEntries(proof.headers) },
    }
  );
}

/** What a library wants to see besides the signature. */
const EXPECTED_BESIDES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  shopify: {
    'X-Shopify-Topic': 'orders/create',
    'X-Shopify-Shop-Domain': 'shop.myshopify.com',
    'X-Shopify-API-Version': '2025-07',
    'X-Shopify-Webhook-Id': 'w1',
    'X-Shopify-Event-Id': 'e1',
  },
};

const WITH_LIBRARY = [...PLAIN_SENDERS, ...TIMED_SENDERS, ...KEYED_SENDERS].filter(
  ({ accepts }) => accepts !== undefined,
);

describe("a test call, for the sender's own library", () => {
  it.each(WITH_LIBRARY.map((sender) => [sender.provider, sender] as const))('%s', async (provider, sender) => {
    const [secret, other] = sender.secrets;
    const timed = sender.body.replace('"webhookTimestamp":0', `"webhookTimestamp":${Date.now()}`);
    const call = testCall(provider, secret, timed);
    if (provider === 'discord' || provider === 'sendgrid') {
      expect(call).toBeUndefined(); // the private key is the sender's
      return;
    }
    expect(await sender.accepts!(secret, call!)).toBe(true);
    expect(await sender.accepts!(other, call!)).toBe(false);
    expect(await sender.accepts!(secret, { ...call!, body: `${call!.body} ` })).toBe(false);
  });

  it('is there for the libraries that can check one', () => {
    expect(WITH_LIBRARY.map(({ provider }) => provider).toSorted()).toEqual([
      'discord',
      'github',
      'hubspot',
      'linear',
      'paddle',
      'sendgrid',
      'shopify',
      'slack',
      'standard-webhooks',
      'stripe',
      'svix',
      'twilio',
    ]);
  });
});
