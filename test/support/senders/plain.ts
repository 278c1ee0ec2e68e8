import { createHmac } from 'node:crypto';
import '@shopify/shopify-api/adapters/node';
import { sign as signForGithub, verify as verifyForGithub } from '@octokit/webhooks-methods';
import { ApiVersion, shopifyApi } from '@shopify/shopify-api';
import { JSON_HEADERS, type Sender } from './sender.js';

const SECRETS = ['it is a secret 0123456789', 'another secret 0123456789'] as const;

/** By the recipe that the sender documents, where it has no library that signs. */
const hmac = (algorithm: string, secret: string, data: string, encoding: 'hex' | 'base64'): string =>
  createHmac(algorithm, secret).update(data).digest(encoding);

/** Senders that sign the body alone. */
export const PLAIN_SENDERS: readonly Sender[] = [
  {
    provider: 'github',
    secrets: SECRETS,
    body: '{"action":"opened","title":"Grüße 👋"}',
    header: 'X-Hub-Signature-256',
    sign: async (secret, body, { url }) => ({
      url,
      body,
      headers: {
        ...JSON_HEADERS,
        'X-GitHub-Event': 'issues',
        'X-GitHub-Delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958',
        'X-Hub-Signature-256': await signForGithub(secret, body),
      },
    }),
    accepts: (secret, { body, headers }) => verifyForGithub(secret, body, headers['X-Hub-Signature-256']!),
  },
  {
    provider: 'shopify',
    secrets: SECRETS,
    body: '{"id":820982911946154508,"email":"jon@example.com"}',
    header: 'X-Shopify-Hmac-Sha256',
    sign: (secret, body, { url }) => ({
      url,
      body,
      headers: {
        ...JSON_HEADERS,
        'X-Shopify-Hmac-Sha256': hmac('sha256', secret, body, 'base64'),
        'X-Shopify-Topic': 'orders/create',
        'X-Shopify-Shop-Domain': 'shop.myshopify.com',
        'X-Shopify-API-Version': '2025-07',
        'X-Shopify-Webhook-Id': 'b54557e4-bdd9-4b37-8a5f-bf7d70bcd043',
        'X-Shopify-Event-Id': '98880550-7158-44d4-b7cd-2c97c8a091b5',
      },
    }),
    accepts: async (secret, { body, headers }) => {
      const shopify = shopifyApi({
        apiKey: 'key',
        apiSecretKey: secret,
        apiVersion: ApiVersion.Unstable,
        hostName: 'app.example',
        isEmbeddedApp: true,
        logger: { log: () => undefined },
      });
      const rawRequest = { method: 'POST', url: '/', headers };
      return (await shopify.webhooks.validate({ rawBody: body, rawRequest, rawResponse: {} })).valid;
    },
  },
  {
    provider: 'bitbucket',
    secrets: SECRETS,
    body: '{"push":{"changes":[]}}',
    header: 'X-Hub-Signature',
    sign: (secret, body, { url }) => ({
      url,
      body,
      headers: {
        ...JSON_HEADERS,
        'X-Request-UUID': '1fd2b5c5-4a0a-4f43-a7a9-7d5d15ae5f0c',
        'X-Hub-Signature': `sha256=${hmac('sha256', secret, body, 'hex')}`,
      },
    }),
  },
  {
    provider: 'intercom',
    secrets: SECRETS,
    body: '{"type":"notification_event","id":"notif_1","topic":"user.created"}',
    header: 'X-Hub-Signature',
    sign: (secret, body, { url }) => ({
      url,
      body,
      headers: { ...JSON_HEADERS, 'X-Hub-Signature': `sha1=${hmac('sha1', secret, body, 'hex')}` },
    }),
  },
  {
    provider: 'typeform',
    secrets: SECRETS,
    body: '{"event_id":"LtWXD3crgy","event_type":"form_response"}',
    header: 'Typeform-Signature',
    sign: (secret, body, { url }) => ({
      url,
      body,
      headers: { ...JSON_HEADERS, 'Typeform-Signature': `sha256=${hmac('sha256', secret, body, 'base64')}` },
    }),
  },
  {
    provider: 'woocommerce',
    secrets: SECRETS,
    body: '{"id":727,"status":"processing"}',
    header: 'X-WC-Webhook-Signature',
    sign: (secret, body, { url }) => ({
      url,
      body,
      headers: { ...JSON_HEADERS, 'X-WC-Webhook-Signature': hmac('sha256', secret, body, 'base64') },
    }),
  },
  {
    provider: 'meta',
    secrets: SECRETS,
    body: '{"object":"page","entry":[{"id":"0","changes":[]}]}',
    header: 'X-Hub-Signature-256',
    sign: (secret, body, { url }) => ({
      url,
      body,
      headers: { ...JSON_HEADERS, 'X-Hub-Signature-256': `sha256=${hmac('sha256', secret, body, 'hex')}` },
    }),
  },
  {
    provider: 'gitlab',
    secrets: SECRETS,
    body: '{"object_kind":"push"}',
    header: 'X-Gitlab-Token',
    sendsSecret: true,
    sign: (secret, body, { url }) => ({ url, body, headers: { ...JSON_HEADERS, 'X-Gitlab-Token': secret } }),
  },
  {
    provider: 'microsoft-graph',
    secrets: SECRETS,
    body: '{"value":[{"subscriptionId":"a","clientState":"?"},{"subscriptionId":"b","clientState":"?"}]}',
    sendsSecret: true,
    sign: (secret, body, { url }) => ({
      url,
      body: body.replaceAll('"?"', JSON.stringify(secret)),
      headers: JSON_HEADERS,
    }),
  },
];
