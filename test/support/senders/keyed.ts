import { createPrivateKey, generateKeyPairSync, type KeyObject, sign as signBytes } from 'node:crypto';
import { EventWebhook } from '@sendgrid/eventwebhook';
import { verifyKey } from 'discord-interactions';
import twilio from 'twilio/lib/webhooks/webhooks.js';
import { JSON_HEADERS, type Sender } from './sender.js';

const seconds = (atMs: number): string => String(Math.floor(atMs / 1_000));

interface Pair {
  readonly publicText: string;
  readonly privateKey: KeyObject;
}

function discordPair(): Pair {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const publicText = Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url').toString('hex');
  return { publicText, privateKey };
}

function sendgridPair(): Pair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  return { publicText: publicKey.export({ format: 'der', type: 'spki' }).toString('base64'), privateKey };
}

const DISCORD = [discordPair(), discordPair()] as const;
const SENDGRID = [sendgridPair(), sendgridPair()] as const;
const keyOf = (pairs: readonly Pair[], publicText: string): KeyObject =>
  createPrivateKey(
    pairs.find((pair) => pair.publicText === publicText)!.privateKey.export({ format: 'pem', type: 'pkcs8' }),
  );

/** Senders with keys or forms of their own. */
export const KEYED_SENDERS: readonly Sender[] = [
  {
    provider: 'discord',
    secrets: [DISCORD[0].publicText, DISCORD[1].publicText],
    body: '{"version":1,"type":1,"event":{"type":"APPLICATION_AUTHORIZED"}}',
    header: 'X-Signature-Ed25519',
    toleranceMs: 300_000,
    sign: (publicText, body, { url, atMs }) => ({
      url,
      body,
      headers: {
        ...JSON_HEADERS,
        'X-Signature-Timestamp': seconds(atMs),
        'X-Signature-Ed25519': signBytes(null, Buffer.from(seconds(atMs) + body), keyOf(DISCORD, publicText)).toString(
          'hex',
        ),
      },
    }),
    accepts: (publicText, { body, headers }) =>
      verifyKey(body, headers['X-Signature-Ed25519']!, headers['X-Signature-Timestamp']!, publicText),
  },
  {
    provider: 'sendgrid',
    secrets: [SENDGRID[0].publicText, SENDGRID[1].publicText],
    body: '[{"email":"a@example.com","event":"processed","sg_event_id":"e1"},{"sg_event_id":"e2"}]\r\n',
    header: 'X-Twilio-Email-Event-Webhook-Signature',
    toleranceMs: 300_000,
    sign: (publicText, body, { url, atMs }) => {
      const signature = signBytes('sha256', Buffer.from(seconds(atMs) + body), keyOf(SENDGRID, publicText));
      return {
        url,
        body,
        headers: {
          ...JSON_HEADERS,
          'X-Twilio-Email-Event-Webhook-Timestamp': seconds(atMs),
          'X-Twilio-Email-Event-Webhook-Signature': signature.toString('base64'),
        },
      };
    },
    accepts: (publicText, { body, headers }) => {
      const library = new EventWebhook();
      return library.verifySignature(
        library.convertPublicKeyToECDSA(publicText),
        body,
        headers['X-Twilio-Email-Event-Webhook-Signature']!,
        headers['X-Twilio-Email-Event-Webhook-Timestamp']!,
      );
    },
  },
  {
    provider: 'twilio',
    secrets: ['12345678901234567890123456789012', 'abcdefabcdefabcdefabcdefabcdefab'],
    body: '{"type":"com.twilio.messaging.message.delivered","specversion":"1.0"}',
    header: 'X-Twilio-Signature',
    sign: (token, body, { url }) => {
      const hashed = `${url}?bodySHA256=${twilio.getExpectedBodyHash(body)}`;
      const signature = twilio.getExpectedTwilioSignature(token, hashed, {});
      return {
        url: hashed,
        body,
        headers: { ...JSON_HEADERS, 'I-Twilio-Idempotency-Token': 't1', 'X-Twilio-Signature': signature },
      };
    },
    accepts: (token, { url, body, headers }) =>
      twilio.validateRequestWithBody(token, headers['X-Twilio-Signature']!, url, body),
  },
];
