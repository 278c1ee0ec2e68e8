import { overBody } from '../common-schemes.js';
import type { Provider } from '../provider.js';

/** Senders that sign the body alone with a shared secret: what they send can be replayed, and is known again by its id. */
export const BODY_SIGNED: readonly Provider[] = [
  {
    id: 'bitbucket',
    name: 'Bitbucket',
    schemes: [overBody('X-Hub-Signature', 'hex', 'sha256')],
    secretFrom: 'user',
    dedup: { headers: ['X-Request-UUID'] },
    setup: 'Repository settings, Webhooks, Add webhook: enter the URL and the secret.',
  },
  {
    id: 'github',
    name: 'GitHub',
    schemes: [overBody('X-Hub-Signature-256', 'hex', 'sha256')],
    secretFrom: 'user',
    dedup: { headers: ['X-GitHub-Delivery'] },
    handshake: 'github-ping',
    setup:
      'Settings, Webhooks, Add webhook: enter the URL and the secret, and choose the content type application/json.',
  },
  {
    id: 'intercom',
    name: 'Intercom',
    schemes: [{ ...overBody('X-Hub-Signature', 'hex', 'sha1'), alg: 'sha1' }],
    secretFrom: 'sender',
    dedup: { body: ['id'] },
    setup:
      'Developer Hub, your app: copy the client secret from Basic information and use it as the secret here; then enter the URL under Webhooks.',
  },
  {
    id: 'linear',
    name: 'Linear',
    schemes: [
      {
        ...overBody('Linear-Signature', 'hex'),
        ts: { from: 'body', name: 'webhookTimestamp', unit: 'ms', toleranceMs: 60_000 },
      },
    ],
    secretFrom: 'sender-later',
    dedup: { headers: ['Linear-Delivery'] },
    setup:
      'Settings, API, New webhook: enter the URL; then use the signing secret that Linear shows as the secret here.',
  },
  {
    id: 'meta',
    name: 'Meta, WhatsApp',
    // Meta signs text outside ASCII in its escaped form, whatever it sends.
    schemes: [{ ...overBody('X-Hub-Signature-256', 'hex', 'sha256'), base: ['{body}', '{escapedBody}'] }],
    secretFrom: 'sender',
    dedup: { body: ['entry[].changes[].value.messages[].id'], hash: true },
    handshake: 'meta-subscribe',
    setup:
      "App dashboard: copy the app secret from App settings, Basic, and use it as the secret here; then, in the product's webhook configuration, enter the URL as callback URL and the webhook's id (wh_…) as verify token.",
  },
  {
    id: 'shopify',
    name: 'Shopify',
    schemes: [overBody('X-Shopify-Hmac-Sha256', 'base64')],
    secretFrom: 'sender',
    dedup: { headers: ['X-Shopify-Event-Id', 'X-Shopify-Webhook-Id'], within: 'X-Shopify-Topic' },
    setup:
      'For an app: use its client secret as the secret here and subscribe the URL to topics. For a shop: Settings, Notifications, Webhooks: create one with format JSON and use the signing secret that the page shows as the secret here.',
  },
  {
    id: 'typeform',
    name: 'Typeform',
    schemes: [overBody('Typeform-Signature', 'base64', 'sha256')],
    secretFrom: 'user',
    dedup: { body: ['event_id'] },
    setup: 'Your form, Connect, Webhooks, Add a webhook: enter the URL; then edit it and enter the secret.',
  },
  {
    id: 'woocommerce',
    name: 'WooCommerce',
    schemes: [overBody('X-WC-Webhook-Signature', 'base64')],
    secretFrom: 'user',
    // Its delivery ids are made of the time alone and collide.
    dedup: { hash: true },
    handshake: 'woocommerce-ping',
    setup: 'WooCommerce, Settings, Advanced, Webhooks, Add webhook: enter the URL as delivery URL and the secret.',
  },
];
