import { createHmac } from 'node:crypto';
import { Signature as HubspotSignature } from '@hubspot/api-client/lib/src/utils/signature.js';
import { LinearWebhookClient } from '@linear/sdk/webhooks';
import { Paddle } from '@paddle/paddle-node-sdk';
import { isValidSlackRequest } from '@slack/bolt/dist/receivers/verify-request.js';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Stripe } from 'stripe';
import { Webhook as SvixWebhook } from 'svix';
import { JSON_HEADERS, type Sender, type SenderRequest } from './sender.js';

const SECRETS = ['it_is_a_secret_0123456789', 'another_secret_0123456789'] as const;
const WHSEC = [
  `whsec_${Buffer.from('thirty-two bytes of a secret, so').toString('base64')}`,
  `whsec_${Buffer.from('other thirty-two bytes of secret').toString('base64')}`,
] as const;
const FIVE_MINUTES_MS = 300_000;

const hmac = (secret: string, data: string, encoding: 'hex' | 'base64'): string =>
  createHmac('sha256', secret).update(data).digest(encoding);
const seconds = (atMs: number): number => Math.floor(atMs / 1_000);

/** Joins the values of a header of two requests. */
const joined =
  (header: string, join: (present: string, other: string) => string) =>
  (request: SenderRequest, other: SenderRequest): SenderRequest => ({
    ...request,
    headers: { ...request.headers, [header]: join(request.headers[header]!, other.headers[header]!) },
  });

const accepted = (verify: () => unknown): boolean => {
  try {
    verify();
    return true;
  } catch {
    return false;
  }
};

/** Senders that sign the time, too. */
export const TIMED_SENDERS: readonly Sender[] = [
  {
    provider: 'stripe',
    secrets: WHSEC,
    body: '{"id":"evt_1","object":"event","livemode":false}',
    header: 'Stripe-Signature',
    toleranceMs: FIVE_MINUTES_MS,
    sign: (secret, payload, { url, atMs }) => ({
      url,
      body: payload,
      headers: {
        ...JSON_HEADERS,
        'Stripe-Signature': Stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp: seconds(atMs) }),
      },
    }),
    accepts: (secret, { body, headers }) =>
      accepted(() => Stripe.webhooks.constructEvent(body, headers['Stripe-Signature']!, secret)),
    withAnother: joined('Stripe-Signature', (present, other) => {
      const [time, signature] = present.split(',');
      return `${time!},${other.split(',')[1]!},v0=00,${signature!}`;
    }),
  },
  {
    provider: 'calendly',
    secrets: SECRETS,
    body: '{"event":"invitee.created"}',
    header: 'Calendly-Webhook-Signature',
    toleranceMs: 180_000,
    sign: (secret, body, { url, atMs }) => {
      const t = seconds(atMs);
      const header = `t=${t},v1=${hmac(secret, `${t}.${body}`, 'hex')}`;
      return { url, body, headers: { ...JSON_HEADERS, 'Calendly-Webhook-Signature': header } };
    },
  },
  {
    provider: 'slack',
    secrets: SECRETS,
    body: '{"type":"event_callback","event_id":"Ev08MFMKH6"}',
    header: 'X-Slack-Signature',
    toleranceMs: FIVE_MINUTES_MS,
    sign: (secret, body, { url, atMs }) => ({
      url,
      body,
      headers: {
        ...JSON_HEADERS,
        'X-Slack-Request-Timestamp': String(seconds(atMs)),
        'X-Slack-Signature': `v0=${hmac(secret, `v0:${seconds(atMs)}:${body}`, 'hex')}`,
      },
    }),
    accepts: (signingSecret, { body, headers }) =>
      isValidSlackRequest({
        signingSecret,
        body,
        headers: {
          'x-slack-signature': headers['X-Slack-Signature']!,
          'x-slack-request-timestamp': Number(headers['X-Slack-Request-Timestamp']),
        },
      }),
  },
  {
    provider: 'zoom',
    secrets: SECRETS,
    body: '{"event":"meeting.started","event_ts":1626230691572}',
    header: 'x-zm-signature',
    toleranceMs: FIVE_MINUTES_MS,
    sign: (secret, body, { url, atMs }) => ({
      url,
      body,
      headers: {
        ...JSON_HEADERS,
        'x-zm-request-timestamp': String(seconds(atMs)),
        'x-zm-signature': `v0=${hmac(secret, `v0:${seconds(atMs)}:${body}`, 'hex')}`,
      },
    }),
  },
  {
    provider: 'standard-webhooks',
    secrets: WHSEC,
    body: '{"type":"contact.created"}',
    header: 'webhook-signature',
    toleranceMs: FIVE_MINUTES_MS,
    sign: (secret, body, { url, atMs }) => ({
      url,
      body,
      headers: {
        ...JSON_HEADERS,
        'webhook-id': 'msg_1',
        'webhook-timestamp': String(seconds(atMs)),
        'webhook-signature': new StandardWebhook(secret).sign('msg_1', new Date(atMs), body),
      },
    }),
    accepts: (secret, { body, headers }) => accepted(() => new StandardWebhook(secret).verify(body, { ...headers })),
    withAnother: joined('webhook-signature', (present, other) => `${other} v1a,bm90IHRoaXM= ${present}`),
  },
  {
    provider: 'svix',
    secrets: WHSEC,
    body: '{"type":"invoice.paid"}',
    header: 'svix-signature',
    toleranceMs: FIVE_MINUTES_MS,
    sign: (secret, body, { url, atMs }) => ({
      url,
      body,
      headers: {
        ...JSON_HEADERS,
        'svix-id': 'msg_2',
        'svix-timestamp': String(seconds(atMs)),
        'svix-signature': new SvixWebhook(secret).sign('msg_2', new Date(atMs), body),
      },
    }),
    accepts: (secret, { body, headers }) => accepted(() => new SvixWebhook(secret).verify(body, { ...headers })),
    withAnother: joined('svix-signature', (present, other) => `${other} ${present}`),
  },
  {
    provider: 'hubspot',
    secrets: SECRETS,
    body: '[{"eventId":100,"subscriptionType":"contact.creation"}]',
    header: 'X-HubSpot-Signature-v3',
    toleranceMs: FIVE_MINUTES_MS,
    sign: (clientSecret, requestBody, { url, atMs }) => {
      const options = { clientSecret, requestBody, url, timestamp: atMs, signature: '' };
      return {
        url,
        body: requestBody,
        headers: {
          ...JSON_HEADERS,
          'X-HubSpot-Request-Timestamp': String(atMs),
          'X-HubSpot-Signature-v3': HubspotSignature.getSignature('POST', 'v3', options),
        },
      };
    },
    accepts: (clientSecret, { url, body, headers }) =>
      HubspotSignature.isValid({
        signatureVersion: 'v3',
        method: 'POST',
        clientSecret,
        requestBody: body,
        url,
        timestamp: Number(headers['X-HubSpot-Request-Timestamp']),
        signature: headers['X-HubSpot-Signature-v3']!,
      }),
  },
  {
    provider: 'linear',
    secrets: SECRETS,
    body: '{"action":"create","type":"Issue","webhookTimestamp":0}',
    header: 'Linear-Signature',
    toleranceMs: 60_000,
    sign: (secret, body, { url, atMs }) => {
      const timed = body.replace('"webhookTimestamp":0', `"webhookTimestamp":${atMs}`);
      const headers = { ...JSON_HEADERS, 'Linear-Delivery': 'd1', 'Linear-Signature': hmac(secret, timed, 'hex') };
      return { url, body: timed, headers };
    },
    accepts: (secret, { body, headers }) =>
      accepted(() => new LinearWebhookClient(secret).verify(Buffer.from(body), headers['Linear-Signature']!)),
  },
  {
    provider: 'paddle',
    secrets: SECRETS,
    body: '{"event_id":"evt_01","event_type":"transaction.completed"}',
    header: 'Paddle-Signature',
    toleranceMs: FIVE_MINUTES_MS,
    sign: (secret, body, { url, atMs }) => {
      const ts = seconds(atMs);
      const header = `ts=${ts};h1=${hmac(secret, `${ts}:${body}`, 'hex')}`;
      return { url, body, headers: { ...JSON_HEADERS, 'Paddle-Signature': header } };
    },
    accepts: (secret, { body, headers }) =>
      new Paddle('key').webhooks.isSignatureValid(body, secret, headers['Paddle-Signature']!),
    withAnother: joined('Paddle-Signature', (present, other) => {
      const [time, signature] = present.split(';');
      return `${time!};${other.split(';')[1]!};${signature!}`;
    }),
  },
  {
    provider: 'zendesk',
    secrets: SECRETS,
    body: '{"ticket":{"id":1}}',
    header: 'X-Zendesk-Webhook-Signature',
    toleranceMs: FIVE_MINUTES_MS,
    sign: (secret, body, { url, atMs }) => {
      const ts = new Date(atMs).toISOString().replace(/\.\d+/, '');
      return {
        url,
        body,
        headers: {
          ...JSON_HEADERS,
          'X-Zendesk-Webhook-Signature-Timestamp': ts,
          'X-Zendesk-Webhook-Signature': hmac(secret, ts + body, 'base64'),
          'X-Zendesk-Webhook-Invocation-Id': '01F7ACMRAC4TGP0KJYZGQXXSK9',
        },
      };
    },
  },
];
