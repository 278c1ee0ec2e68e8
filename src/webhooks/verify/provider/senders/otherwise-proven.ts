import { standardWebhooks, toleranceMs } from '../common-schemes.js';
import type { Provider } from '../provider.js';

/** Senders with a public key, a token, or a signature over the URL. */
export const OTHERWISE_PROVEN: readonly Provider[] = [
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
    id: 'gitlab',
    name: 'GitLab',
    schemes: [{ scheme: 'token', from: 'header', name: 'X-Gitlab-Token' }, standardWebhooks('webhook')],
    secretFrom: 'user',
    dedup: { headers: ['webhook-id'] },
    setup:
      'Settings, Webhooks, Add new webhook: enter the URL and the secret as secret token. With a signing token instead, bring that token here as the secret.',
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
];
