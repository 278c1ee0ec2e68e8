import { overBody, standardWebhooks, timedItems, toleranceMs, versionZero } from '../common-schemes.js';
import type { Provider } from '../provider.js';

const BASE64_KEY = {
  pattern: /^(?:whsec_)?[A-Za-z0-9+/]{16,}={0,2}$/,
  description: 'whsec_ and base64, as the sender shows it',
};

/** Senders that sign a time with the body, by a shared secret: what is too old is refused. */
export const TIME_SIGNED: readonly Provider[] = [
  {
    id: 'calendly',
    name: 'Calendly',
    schemes: [timedItems('Calendly-Webhook-Signature', 180_000)],
    secretFrom: 'user',
    dedup: { hash: true },
    setup: 'Create a webhook subscription through the API with the URL as url and the secret as signing_key.',
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
