import { describe, expect, it } from '@jest/globals';
import { deliveryIdOf } from '../../../src/webhooks/verify/provider/delivery-id.js';
import { findProvider } from '../../../src/webhooks/verify/provider/providers.js';

const HASH_OF_EMPTY_OBJECT = 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a';

describe('deliveryIdOf', () => {
  it.each([
    ['github', ['x-github-delivery', 'd1'], '{}', 'd1'],
    ['github', [], '{}', undefined],
    ['github', ['X-GitHub-Delivery', ''], '{}', undefined],
    [
      'shopify',
      ['X-Shopify-Webhook-Id', 'w', 'X-Shopify-Event-Id', 'e', 'X-Shopify-Topic', 'orders/paid'],
      '{}',
      'e orders/paid',
    ],
    ['shopify', ['X-Shopify-Webhook-Id', 'w', 'X-Shopify-Topic', 'orders/paid'], '{}', 'w orders/paid'],
    ['stripe', [], '{"id":"evt_1"}', 'evt_1'],
    ['stripe', [], '{}', undefined],
    ['stripe', [], '{"id":{}}', undefined],
    ['stripe', [], 'no json', undefined],
    ['slack', [], '{"event_id":"Ev1"}', 'Ev1'],
    ['hubspot', [], '[{"eventId":1},{"eventId":2}]', '1 2'],
    ['hubspot', [], '[{"eventId":1,"objectId":3,"occurredAt":9,"subscriptionId":7,"attemptNumber":2}]', '1 7 3 9'],
    ['hubspot', [], '{}', HASH_OF_EMPTY_OBJECT],
    ['microsoft-graph', [], '{"value":[{"resource":"me/drive/root"}]}', undefined],
    ['sendgrid', [], '[{"sg_event_id":"a"},{"other":1},{"sg_event_id":"b"}]', 'a b'],
    ['meta', [], '{"entry":[{"changes":[{"value":{"messages":[{"id":"wamid.1"}]}}]}]}', 'wamid.1'],
    ['meta', [], '{}', HASH_OF_EMPTY_OBJECT],
    ['woocommerce', ['X-WC-Webhook-Delivery-ID', 'collides'], '{}', HASH_OF_EMPTY_OBJECT],
    ['zoom', [], '{}', HASH_OF_EMPTY_OBJECT],
    ['gitlab', ['webhook-id', 'm1'], '{}', 'm1'],
  ])('of %s with %j and %s', (provider, rawHeaders, body, expected) => {
    expect(deliveryIdOf(findProvider(provider)!, rawHeaders, Buffer.from(body))).toBe(expected);
  });

  it('keeps a long id by its hash', () => {
    const id = deliveryIdOf(findProvider('github')!, ['X-GitHub-Delivery', 'd'.repeat(201)], Buffer.from('{}'));
    expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  it('takes the body as it was parsed', () => {
    expect(deliveryIdOf(findProvider('stripe')!, [], Buffer.from('{}'), { id: 'parsed' })).toBe('parsed');
  });
});
