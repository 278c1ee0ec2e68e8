import { overBody, standardWebhooks, timedItems, toleranceMs, versionZero } from './common-schemes.js';
import type { Provider } from './provider.js';

const BASE64_KEY = {
  pattern: /^(?:whsec_)?[A-Za-z0-9+/]{16,}={0,2}$/,
  description: 'whsec_ and base64, as the sender shows it',
};

/** All senders, by name. Senders are set up by it: it may grow and not change. */
export const PROVIDERS: readonly Provider[] = [
  {
    id: 'bitbucket',
    name: 'Bitbucket',
    schemes: [overBody('X-Hub-Signature', 'hex', 'sha256')],
    secretFrom: 'user',
    dedup: { headers: ['X-Request-UUID'] },
    setup: 'Repository settings, Webhooks, Add webhook: enter the URL and the secret.',
  },
  {
    id: 'calendly',
    name: 'Calendly',
    schemes: [timedItems('Calendly-Webhook-Signature', 180_000)],
    secretFrom: 'user',
    dedup: { hash: true },
    setup: 'Create a webhook subscription through the API with the URL as url and the secret as signing_key.',
  },
  {
    id: 'discord',
    name: 'Discord',
    schemes: [
      {
        scheme: 'asymmetric',
        alg: 'ed25519',
        enc: 'hex',
        header: 'X-Signature-Ed25519',
        ts: { from: 'header', name: 'X-Signature-Timestamp', unit: 's', toleranceMs },
        base: ['{timestamp}{body}'],
        key: { enc: 'hex' },
      },
    ],
    secretFrom: 'sender',
    secretForm: { pattern: /^[0-9a-f]{64}$/i, description: "the application's public key: 64 hex characters" },
    dedup: { body: ['id'], hash: true },
    handshake: 'discord-ping',
    setup:
      'Developer Portal, your application: copy the public key from General Information and use it as the secret here; then enter the URL under Webhooks, Endpoint URL (events) or General Information, Interactions Endpoint URL.',
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
    id: 'gitlab',
    name: 'GitLab',
    schemes: [{ scheme: 'token', from: 'header', name: 'X-Gitlab-Token' }, standardWebhooks('webhook')],
    secretFrom: 'user',
    dedup: { headers: ['webhook-id'] },
    setup:
      'Settings, Webhooks, Add new webhook: enter the URL and the secret as secret token. With a signing token instead, bring that token here as the secret.',
  },
  {
    id: 'hubspot',
    name: 'HubSpot',
    schemes: [
      {
        scheme: 'hmac',
        alg: 'sha256',
        enc: 'base64',
        header: 'X-HubSpot-Signature-v3',
        ts: { from: 'header', name: 'X-HubSpot-Request-Timestamp', unit: 'ms', toleranceMs },
        base: ['{method}{url}{body}{timestamp}'],
        url: 'decoded',
      },
    ],
    secretFrom: 'sender',
    // HubSpot does not promise that an eventId is unique.
    dedup: { body: ['[].eventId', '[].subscriptionId', '[].objectId', '[].occurredAt'], hash: true },
    sendsArrays: true,
    setup:
      "Your app, Auth: copy the client secret and use it as the secret here; then enter the URL as the app's webhook target URL. The signature covers the URL: set PUBLIC_URL to exactly what HubSpot calls.",
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
    id: 'microsoft-graph',
    name: 'Microsoft Graph',
    schemes: [{ scheme: 'token', from: 'body', name: 'value[].clientState' }],
    secretFrom: 'user',
    secretForm: { pattern: /^.{1,128}$/, description: 'at most 128 characters' },
    // Nothing tells a repeat from the next change: both can have the same bytes (docs/adr/0010).
    dedup: {},
    handshake: 'graph-validation-token',
    setup:
      'Create a subscription through the API with the URL as notificationUrl (and lifecycleNotificationUrl) and the secret as clientState.',
  },
  {
    id: 'paddle',
    name: 'Paddle',
    schemes: [
      {
        scheme: 'hmac',
        alg: 'sha256',
        enc: 'hex',
        header: 'Paddle-Signature',
        extract: { item: ';', kv: '=', field: 'h1' },
        ts: { from: 'signature', name: 'ts', unit: 's', toleranceMs },
        base: ['{timestamp}:{body}'],
      },
    ],
    secretFrom: 'sender-later',
    dedup: { body: ['event_id'] },
    setup:
      "Developer tools, Notifications, New destination: enter the URL; then use the destination's secret key as the secret here.",
  },
  {
    id: 'sendgrid',
    name: 'SendGrid',
    schemes: [
      {
        scheme: 'asymmetric',
        alg: 'ecdsa-p256',
        enc: 'base64',
        header: 'X-Twilio-Email-Event-Webhook-Signature',
        ts: { from: 'header', name: 'X-Twilio-Email-Event-Webhook-Timestamp', unit: 's', toleranceMs },
        base: ['{timestamp}{body}'],
        key: { enc: 'base64' },
      },
    ],
    secretFrom: 'sender-later',
    secretForm: { pattern: /^[A-Za-z0-9+/]{100,}={0,2}$/, description: 'the verification key: base64 on one line' },
    dedup: { body: ['[].sg_event_id'], hash: true },
    sendsArrays: true,
    setup:
      'Settings, Mail Settings, Event Webhooks: enter the URL, enable the signed event webhook and save; then use the verification key as the secret here.',
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
    id: 'slack',
    name: 'Slack',
    schemes: [versionZero('X-Slack-Signature', 'X-Slack-Request-Timestamp')],
    secretFrom: 'sender',
    dedup: { body: ['event_id'] },
    handshake: 'slack-url-verification',
    sendsForms: true,
    setup:
      'Your app, Basic Information: copy the signing secret and use it as the secret here; then enter the URL under Event Subscriptions, Request URL (also under Interactivity or a slash command).',
  },
  {
    id: 'standard-webhooks',
    name: 'Standard Webhooks',
    schemes: [standardWebhooks('webhook')],
    secretFrom: 'user',
    secretForm: BASE64_KEY,
    dedup: { headers: ['webhook-id'] },
    setup:
      'Enter the URL at the sender. Most senders make the secret (whsec_…): bring it here; others take the one made here.',
  },
  {
    id: 'stripe',
    name: 'Stripe',
    schemes: [timedItems('Stripe-Signature', 300_000)],
    secretFrom: 'sender-later',
    dedup: { body: ['id'] },
    setup:
      "Workbench, Webhooks, Create an event destination: enter the URL; then use the destination's signing secret (whsec_…) as the secret here.",
  },
  {
    id: 'svix',
    name: 'Svix',
    schemes: [standardWebhooks('svix')],
    secretFrom: 'sender-later',
    secretForm: BASE64_KEY,
    dedup: { headers: ['svix-id'] },
    setup: "Add an endpoint with the URL; then use the endpoint's signing secret (whsec_…) as the secret here.",
  },
  {
    id: 'twilio',
    name: 'Twilio',
    schemes: [
      {
        scheme: 'hmac',
        alg: 'sha1',
        enc: 'base64',
        header: 'X-Twilio-Signature',
        base: ['{url}{formParameters}'],
        url: 'any-port',
        bodyHashParameter: 'bodySHA256',
      },
    ],
    secretFrom: 'sender',
    dedup: { headers: ['I-Twilio-Idempotency-Token'] },
    sendsForms: true,
    setup:
      "Use the account's auth token as the secret here and enter the URL where Twilio asks for a webhook (messages, calls, event streams). The signature covers the URL: set PUBLIC_URL to exactly what Twilio calls.",
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
  {
    id: 'zendesk',
    name: 'Zendesk',
    schemes: [
      {
        ...overBody('X-Zendesk-Webhook-Signature', 'base64'),
        ts: { from: 'header', name: 'X-Zendesk-Webhook-Signature-Timestamp', unit: 'iso', toleranceMs },
        base: ['{timestamp}{body}'],
      },
    ],
    secretFrom: 'sender-later',
    dedup: { headers: ['X-Zendesk-Webhook-Invocation-Id'] },
    setup:
      'Admin Center, Apps and integrations, Webhooks, Create webhook: enter the URL with method POST and format JSON; then reveal its signing secret and use it as the secret here.',
  },
  {
    id: 'zoom',
    name: 'Zoom',
    schemes: [versionZero('x-zm-signature', 'x-zm-request-timestamp')],
    secretFrom: 'sender',
    dedup: { hash: true },
    handshake: 'zoom-url-validation',
    setup:
      'App Marketplace, your app, Features: copy the secret token and use it as the secret here; then add an event subscription with the URL and press Validate.',
  },
];

const BY_ID: ReadonlyMap<string, Provider> = new Map(PROVIDERS.map((provider) => [provider.id, provider]));

export function findProvider(id: string): Provider | undefined {
  return BY_ID.get(id);
}

/** The header that carries the secret itself, if one does: it must not be recorded. */
export function tokenHeaderOf(provider: Provider): string | undefined {
  for (const scheme of provider.schemes) {
    if (scheme.scheme === 'token' && scheme.from === 'header') return scheme.name.toLowerCase();
  }
  return undefined;
}

/** The header by which a sender proves itself, for people; empty when the proof stands in the body. */
export function headerOf(provider: Provider): string {
  const [scheme] = provider.schemes;
  if (scheme.scheme !== 'token') return scheme.header;
  return scheme.from === 'header' ? scheme.name : '';
}
