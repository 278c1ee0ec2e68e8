import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from '@jest/globals';
import { sign as signForGithub } from '@octokit/webhooks-methods';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Stripe } from 'stripe';
import twilio from 'twilio/lib/webhooks/webhooks.js';
import { Budget } from '../../../src/webhooks/diagnose/budget.js';
import { diagnose } from '../../../src/webhooks/diagnose/diagnose.js';
import {
  type DiagnosedWebhook,
  type Diagnosis,
  type KnownSecret,
  REMEDIES,
} from '../../../src/webhooks/diagnose/diagnosis.js';
import { METHOD_DEFAULTS } from '../../../src/webhooks/verify/method-defaults.js';
import { findProvider, headerOf } from '../../../src/webhooks/verify/provider/providers.js';
import type { AuthenticationMethod } from '../../../src/webhooks/webhook.entity.js';
import { KEYED_SENDERS } from '../../support/senders/keyed.js';
import { PLAIN_SENDERS } from '../../support/senders/plain.js';
import type { Sender } from '../../support/senders/sender.js';
import { TIMED_SENDERS } from '../../support/senders/timed.js';

const NOW_MS = Math.floor(Date.now() / 1_000) * 1_000;
const PUBLIC_URL = 'https://hooks.example';
const TARGET = '/api/v1/webhooks/wh_1';

const SECRET = `whsec_${Buffer.from('the thirty-two bytes of a secret').toString('base64')}`;
const OLD = `whsec_${Buffer.from('an old secret that had its time.').toString('base64')}`;
const LEAKED = `whsec_${Buffer.from('a leaked secret which was ended.').toString('base64')}`;
const THEIRS = `whsec_${Buffer.from('the secret of the other webhook.').toString('base64')}`;
const BODY = '{"event": "order.created", "title": "Grüße", "url": "a/b", "amount": 5}';

const KNOWN: readonly KnownSecret[] = [
  { version: 4, hint: '…', secret: SECRET, status: 'ACTIVE', endsAtMs: undefined },
  { version: 3, hint: '…', secret: OLD, status: 'EXPIRED', endsAtMs: NOW_MS - 60_000 },
  { version: 2, hint: '…', secret: LEAKED, status: 'REVOKED', endsAtMs: NOW_MS - 120_000 },
];

type Headers = readonly (readonly [string, string])[];

const hmac = (body: string, key: string | Buffer = SECRET, algorithm = 'sha256'): string =>
  createHmac(algorithm, key).update(body).digest('hex');
const toBase64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');

function webhookOf(
  method: AuthenticationMethod,
  more: Partial<DiagnosedWebhook['authentication']> = {},
): DiagnosedWebhook {
  const { headerName, headerPrefix } = METHOD_DEFAULTS[method];
  return {
    authentication: { method, headerName: headerName.toLowerCase(), headerPrefix, ...more },
    secrets: KNOWN,
    others: [{ webhookId: 'wh_other', secret: THEIRS }],
  };
}

function providerOf(id: string, secret: string, other = THEIRS): DiagnosedWebhook {
  const provider = findProvider(id)!;
  return {
    ...webhookOf('PROVIDER', { provider, headerName: headerOf(provider).toLowerCase() }),
    secrets: [{ ...KNOWN[0]!, secret }],
    others: [{ webhookId: 'wh_other', secret: other }],
  };
}

/** Everything that was said, to look for secrets in it. */
const said: string[] = [];
const covered = new Set<string>();

interface Sent {
  readonly body?: string | Uint8Array;
  readonly target?: string;
  readonly method?: string;
  readonly calledOrigin?: string;
}

function ask(webhook: DiagnosedWebhook, headers: Headers, sent: Sent = {}): Diagnosis {
  const { body = BODY, target = TARGET, method = 'POST', calledOrigin } = sent;
  const request = {
    method,
    publicUrl: PUBLIC_URL,
    target,
    rawHeaders: headers.flat(),
    body: Buffer.from(body as string),
  };
  const budget = new Budget(4_000, 64 * 1_048_576);
  const result = diagnose(webhook, request, { nowMs: NOW_MS, budget, calledOrigin });
  said.push(JSON.stringify(result));
  covered.add(result.code);
  return result;
}

const HMAC = webhookOf('HMAC_SIGNATURE');
const signed = (signature: string, name = 'X-Webhook-Signature'): Headers => [[name, signature]];

const json = JSON.parse(BODY) as object;
const sortedKeys = JSON.stringify(Object.fromEntries(Object.entries(json).toSorted(([a], [b]) => (a < b ? -1 : 1))));
const escaped = JSON.stringify(json).replaceAll('ü', '\\u00fc').replaceAll('ß', '\\u00df');
const bare = SECRET.slice('whsec_'.length);

describe('an HMAC of the body', () => {
  it('is told to be right when it is', () => {
    const result = ask(HMAC, signed(`sha256=${hmac(BODY)}`));
    expect(result).toEqual({
      code: 'VALID',
      message: 'The request is authentic, by version 4 of the secret.',
      hints: [],
    });
    const retiring = { ...HMAC, secrets: [{ ...KNOWN[0]!, status: 'RETIRING' as const, endsAtMs: NOW_MS + 1 }] };
    expect(ask(retiring, signed(`sha256=${hmac(BODY)}`)).hints).toEqual([expect.stringContaining('retiring')]);
  });

  it.each<[string, Headers, RegExp]>([
    ['HEADER_MISSING', [['Content-Type', 'application/json']], /x-webhook-signature is missing\.$/],
    ['HEADER_MISNAMED', signed(`sha256=${hmac(BODY)}`, 'X-Webhook-Signatur'), /X-Webhook-Signatur came instead/],
    ['HEADER_MISNAMED', signed(`sha256=${hmac(BODY)}`, 'Webhook_Signature'), /Webhook_Signature came instead/],
    ['OTHER_METHOD', signed(`sha256=${hmac(BODY)}`, 'X-Hub-Signature-256'), /X-Hub-Signature-256 .*GitHub/],
    ['OTHER_METHOD', [['X-API-Key', SECRET]], /X-API-Key came instead, the header of the method API_KEY/],
    ['HEADER_REPEATED', [...signed(`sha256=${hmac(BODY)}`), ...signed(`sha256=${hmac(BODY)}`)], /sent 2 times/],
    ['HEADER_EMPTY', signed(''), /is empty/],
    ['HEADER_EMPTY', signed('sha256='), /no signature in it/],
    ['PREFIX_MISSING', signed(hmac(BODY)), /right, but "sha256=" is missing before it/],
    ['PREFIX_WRONG', signed(`SHA256=${hmac(BODY)}`), /"SHA256=" stands before it instead of "sha256="/],
    ['PREFIX_WRONG', signed(`v1=${hmac(BODY)}`), /"v1=" stands before it instead of "sha256="/],
    ['PREFIX_MISSING', signed(hmac('x')), /is wrong, and "sha256=" is missing before it/],
    ['SIGNATURE_MALFORMED', signed('sha256=what is this'), /is not an HMAC-SHA256 in hex/],
    ['SIGNATURE_MALFORMED', signed(`sha256=${hmac(BODY).slice(0, 20)}`), /its length/],
    ['SIGNATURE_ENCODING', signed(`sha256=${toBase64(hmac(BODY))}`), /base64 instead of hex/],
    ['SIGNATURE_ENCODING', signed(`sha256=0x${hmac(BODY)}`), /0x stands before it/],
    ['SIGNATURE_ENCODING', signed(`sha256=${Buffer.from(hmac(BODY)).toString('base64')}`), /encoded twice/],
    ['SIGNATURE_ENCODING', signed(`sha256="${hmac(BODY)}"`), /quotes/],
    ['SIGNATURE_ALGORITHM', signed(`sha256=${hmac(BODY, SECRET, 'sha1')}`), /HMAC-SHA1 instead of HMAC-SHA256/],
    ['SIGNATURE_ALGORITHM', signed(`sha256=${hmac(BODY, SECRET, 'sha512')}`), /HMAC-SHA512 instead of/],
    ['SIGNATURE_WRONG', signed(`sha256=${hmac('something else')}`), /another secret or body/],
    ['SECRET_SENT', signed(SECRET), /carries the secret itself/],
    ['SECRET_SENT', signed(`sha256=${OLD}`), /carries the secret itself/],
    ['SECRET_EXPIRED', signed(`sha256=${hmac(BODY, OLD)}`), /version 3 of the secret, which expired .* at 20/],
    ['SECRET_REVOKED', signed(`sha256=${hmac(BODY, LEAKED)}`), /version 2 of the secret, which was ended/],
    ['SECRET_OF_OTHER_WEBHOOK', signed(`sha256=${hmac(BODY, THEIRS)}`), /another webhook, wh_other/],
    ['SECRET_DECORATED', signed(`sha256=${hmac(BODY, `${SECRET}\n`)}`), /a line break behind it/],
    ['SECRET_DECORATED', signed(`sha256=${hmac(BODY, `"${SECRET}"`)}`), /quotes around it/],
    ['KEY_PREFIX', signed(`sha256=${hmac(BODY, bare)}`), /without its beginning, whsec_/],
    ['KEY_DECODED', signed(`sha256=${hmac(BODY, Buffer.from(bare, 'base64'))}`), /decoded from base64/],
    [
      'BODY_RESERIALIZED',
      signed(`sha256=${hmac(JSON.stringify(json))}`),
      /parsed and serialised again, instead of the raw/,
    ],
    ['BODY_PRETTY_PRINTED', signed(`sha256=${hmac(JSON.stringify(json, null, 2))}`), /indentation of 2 spaces/],
    ['BODY_KEYS_SORTED', signed(`sha256=${hmac(sortedKeys)}`), /keys sorted/],
    ['BODY_ESCAPED', signed(`sha256=${hmac(escaped)}`), /outside ASCII escaped/],
    ['BODY_ESCAPED', signed(`sha256=${hmac(JSON.stringify(json).replace('a/b', 'a\\/b'))}`), /slashes escaped/],
    ['BODY_ESCAPED', signed(`sha256=${hmac(JSON.stringify(BODY))}`), /JSON text a second time/],
    ['BODY_NEWLINE', signed(`sha256=${hmac(`${BODY}\n`)}`), /a line break at its end, which was not sent/],
    ['BODY_NOT_SIGNED', signed(`sha256=${hmac('')}`), /an empty body/],
    [
      'SIGNED_STRING',
      [...signed(`sha256=${hmac(`1700000000.${BODY}`)}`), ['X-Webhook-Timestamp', '1700000000']],
      /of \{timestamp\}\.\{body\}, and must be of \{body\}/,
    ],
    ['SIGNED_STRING', signed(`t=1700000000,v1=${hmac(`1700000000.${BODY}`)}`), /"v1=" stands before it/],
  ])('%s for %j', (code, headers, message) => {
    const result = ask(HMAC, headers);
    expect([result.code, result.message]).toEqual([code, expect.stringMatching(message)]);
    expect(result.hints[0]).toBe(REMEDIES[result.code]);
  });

  it('finds two mistakes at once, and says both', () => {
    const result = ask(HMAC, signed(toBase64(hmac(JSON.stringify(json), OLD))));
    expect(result.code).toBe('BODY_RESERIALIZED');
    expect(result.message).toMatch(/serialised again.*version 3.*"sha256=" is missing.*base64 instead of hex/);
    expect(result.hints).toContain(REMEDIES.SECRET_EXPIRED);
  });

  it('sees a line break that was sent and not signed', () => {
    const result = ask(HMAC, signed(`sha256=${hmac(BODY)}`), { body: `${BODY}\n` });
    expect([result.code, result.message]).toEqual(['BODY_NEWLINE', expect.stringContaining('which was sent')]);
  });

  it('takes any bytes for a body', () => {
    for (const body of [Buffer.from([0xff, 0xfe, 0x00]), '', '['.repeat(100_000), '{"__proto__":{"a":1}}']) {
      expect(ask(HMAC, signed(`sha256=${hmac('other')}`), { body }).code).toBe('SIGNATURE_WRONG');
    }
  });

  it.each(['"', "'", ',', '%0A', 'v1=', 'a,', `${'x'.repeat(30)},`])('takes 16 KiB of %j for a header', (piece) => {
    const value = `${piece.repeat(16_000 / piece.length)}x`;
    expect(ask(HMAC, signed(value)).code).toMatch(/^(?:PREFIX|SIGNATURE)_/);
    expect(ask(webhookOf('SECRET_HEADER'), [['X-Webhook-Secret', value]]).code).toMatch(/^(?:PREFIX|SECRET)_WRONG$/);
    expect(ask(providerOf('stripe', SECRET), [['Stripe-Signature', value]]).code).toBe('TIMESTAMP_MISSING');
  });

  it('ends with its budget, and says so', () => {
    const body = Buffer.alloc(1_000_000, '{"a": 1}');
    const request = {
      method: 'POST',
      publicUrl: PUBLIC_URL,
      target: TARGET,
      rawHeaders: signed(`sha256=${hmac('x')}`).flat(),
      body,
    };
    const result = diagnose(HMAC, request, { nowMs: NOW_MS, budget: new Budget(50, 10_000_000) });
    expect(result.code).toBe('SIGNATURE_WRONG');
    expect(result.hints).toContain('The request is too large for every known mistake to be tried.');
  });
});

describe('a secret that is sent itself', () => {
  const basic = Buffer.from(`user:${SECRET}`).toString('base64');
  it.each<[AuthenticationMethod, string, Headers, RegExp]>([
    ['SECRET_HEADER', 'VALID', [['x-webhook-secret', SECRET]], /version 4/],
    ['SECRET_HEADER', 'HEADER_MISNAMED', [['X-Webhook-Secrets', SECRET]], /X-Webhook-Secrets came instead/],
    ['SECRET_HEADER', 'SECRET_WRONG', [['X-Webhook-Secret', 'whsec_guess']], /not that of this webhook/],
    ['SECRET_HEADER', 'SECRET_WRONG', [['X-Webhook-Secret', SECRET.slice(0, -1)]], /not that of this webhook/],
    ['SECRET_HEADER', 'PREFIX_WRONG', [['X-Webhook-Secret', `Bearer ${SECRET}`]], /"Bearer " stands before it/],
    ['SECRET_HEADER', 'SECRET_DECORATED', [['X-Webhook-Secret', `"${SECRET}"`]], /quotes/],
    ['SECRET_HEADER', 'SECRET_DECORATED', [['X-Webhook-Secret', `${SECRET}\\n`]], /line break/],
    ['SECRET_HEADER', 'SECRET_DECORATED', [['X-Webhook-Secret', encodeURIComponent(SECRET)]], /percent-encoded/],
    ['SECRET_HEADER', 'KEY_PREFIX', [['X-Webhook-Secret', bare]], /its beginning, whsec_, is missing/],
    ['SECRET_HEADER', 'SIGNATURE_SENT', [['X-Webhook-Secret', `sha256=${hmac(BODY)}`]], /a signature of the body/],
    ['SECRET_HEADER', 'SECRET_EXPIRED', [['X-Webhook-Secret', OLD]], /version 3 of the secret, which expired/],
    ['BEARER_TOKEN', 'PREFIX_MISSING', [['Authorization', SECRET]], /"Bearer " is missing before it/],
    ['BEARER_TOKEN', 'VALID', [['Authorization', `bearer ${SECRET}`]], /version 4/],
    [
      'BEARER_TOKEN',
      'PREFIX_WRONG',
      [['Authorization', `Basic ${basic}`]],
      /right, but "Basic " stands.*Basic authentication/,
    ],
    ['BEARER_TOKEN', 'HEADER_EMPTY', [['Authorization', 'Bearer ']], /nothing behind its prefix/],
    ['BEARER_TOKEN', 'SECRET_WRONG', [['Authorization', 'Bearer wha_1_token']], /not that of this webhook/],
    ['API_KEY', 'SECRET_OF_OTHER_WEBHOOK', [['X-API-Key', THEIRS]], /another webhook, wh_other/],
    ['API_KEY', 'KEY_DECODED', [['X-API-Key', Buffer.from(SECRET).toString('base64')]], /encoded in base64/],
    ['API_KEY', 'OTHER_METHOD', [['X-Webhook-Secret', SECRET]], /X-Webhook-Secret came instead/],
  ])('%s: %s for %j', (method, code, headers, message) => {
    const result = ask(webhookOf(method), headers);
    expect([result.code, result.message]).toEqual([code, expect.stringMatching(message)]);
  });

  it('CUSTOM_HEADER with a prefix of its own', () => {
    const custom = webhookOf('CUSTOM_HEADER', { headerName: 'x-shop-token', headerPrefix: 'shop ' });
    expect(ask(custom, [['X-Shop-Token', `shop ${SECRET}`]]).code).toBe('VALID');
    expect(ask(custom, [['X-Shop-Token', SECRET]]).code).toBe('PREFIX_MISSING');
    expect(ask(custom, [['X-Shop-Token', `Shop ${SECRET}`]]).code).toBe('PREFIX_WRONG');
  });
});

const SENDERS = [...PLAIN_SENDERS, ...TIMED_SENDERS, ...KEYED_SENDERS];
const senderOf = (provider: string): Sender => SENDERS.find((sender) => sender.provider === provider)!;

describe.each(SENDERS.map((sender) => [sender.provider, sender] as const))('%s', (id, sender) => {
  const [secret, other] = sender.secrets;
  const send = async (key: string, atMs = NOW_MS, body = sender.body): Promise<[Headers, Sent]> => {
    const request = await sender.sign(key, body, { url: PUBLIC_URL + TARGET, atMs });
    return [Object.entries(request.headers), { body: request.body, target: request.url.slice(PUBLIC_URL.length) }];
  };

  it('is right, of another webhook, or of none', async () => {
    expect(ask(providerOf(id, secret), ...(await send(secret))).code).toBe('VALID');
    expect(ask(providerOf(id, secret, other), ...(await send(other))).code).toBe('SECRET_OF_OTHER_WEBHOOK');
    expect(ask(providerOf(id, secret), ...(await send(other))).code).toMatch(/^(?:SIGNATURE|SECRET)_WRONG$/);
  });

  it('lacks its proof', async () => {
    const [headers, sent] = await send(secret);
    const without = headers.filter(([name]) => name !== sender.header);
    const result = ask(providerOf(id, secret), without, sender.header === undefined ? { body: '{}' } : sent);
    expect(result.code).toBe(sender.header === undefined ? 'CREDENTIAL_NOT_IN_BODY' : 'HEADER_MISSING');
  });

  if (sender.toleranceMs !== undefined) {
    it('has a clock that is off', async () => {
      const offMs = sender.toleranceMs! + 60_000;
      const old = ask(providerOf(id, secret), ...(await send(secret, NOW_MS - offMs)));
      expect([old.code, old.message]).toEqual([
        'TIMESTAMP_OLD',
        expect.stringMatching(new RegExp(`right, but it was made ${offMs / 1_000} s ago`)),
      ]);
      const future = ask(providerOf(id, secret), ...(await send(secret, NOW_MS + offMs)));
      expect(future.code).toBe('TIMESTAMP_FUTURE');
    });
  }

  if (sender.sendsSecret === undefined && !['twilio', 'linear', 'discord', 'sendgrid'].includes(id)) {
    it('signs what it serialised again', async () => {
      const spaced = JSON.stringify(JSON.parse(sender.body), null, 1);
      const compact = JSON.stringify(JSON.parse(sender.body));
      const [headers, sent] = await send(secret, NOW_MS, compact);
      expect(ask(providerOf(id, secret), headers, { ...sent, body: spaced }).code).toBe('BODY_RESERIALIZED');
    });
  }
});

describe("senders' own traps", () => {
  it('GitHub: the older header, the other prefix', async () => {
    const webhook = providerOf('github', SECRET);
    const signature = await signForGithub(SECRET, BODY);
    expect(ask(webhook, [['X-Hub-Signature', signature]])).toMatchObject({ code: 'HEADER_MISNAMED' });
    const sha1 = `sha1=${hmac(BODY, SECRET, 'sha1')}`;
    const result = ask(webhook, [['X-Hub-Signature-256', sha1]]);
    expect(result.message).toMatch(/HMAC-SHA1 instead of HMAC-SHA256.*"sha1=" stands before it instead of "sha256="/);
  });

  it('Stripe: no v1, no time, a time in milliseconds', () => {
    const webhook = providerOf('stripe', SECRET);
    const timestamp = NOW_MS / 1_000;
    const header = Stripe.webhooks.generateTestHeaderString({ payload: BODY, secret: SECRET, timestamp });
    const named = (value: string): Headers => [['Stripe-Signature', value]];
    const v0 = ask(webhook, named(header.replace('v1=', 'v0=')));
    expect([v0.code, v0.message]).toEqual(['SIGNATURE_ITEM_MISSING', expect.stringMatching(/"v0=" instead of "v1="/)]);
    expect(ask(webhook, named(`t=${timestamp}`)).code).toBe('SIGNATURE_ITEM_MISSING');
    expect(ask(webhook, named(header.replace(/t=\d+,/, ''))).code).toBe('TIMESTAMP_MISSING');
    const inMs = Stripe.webhooks.generateTestHeaderString({ payload: BODY, secret: SECRET, timestamp: NOW_MS });
    const ms = ask(webhook, named(inMs));
    expect([ms.code, ms.message]).toEqual([
      'TIMESTAMP_UNIT',
      expect.stringMatching(/in milliseconds: t must be in seconds/),
    ]);
    const bodyOnly = ask(webhook, named(`t=${timestamp},v1=${hmac(BODY)}`));
    expect([bodyOnly.code, bodyOnly.message]).toEqual([
      'SIGNED_STRING',
      expect.stringMatching(/of \{body\} \(it lacks the timestamp\), and must be of \{timestamp\}\.\{body\}/),
    ]);
    const malformed = ask(webhook, named(`t=yesterday,v1=${hmac(`yesterday.${BODY}`)}`));
    expect(malformed.code).toBe('TIMESTAMP_MALFORMED');
  });

  it('Standard Webhooks: the key as text, no id, hex instead of base64', () => {
    const webhook = providerOf('standard-webhooks', SECRET);
    const [id, time] = ['msg_1', String(NOW_MS / 1_000)];
    const base = `${id}.${time}.${BODY}`;
    const send = (signature: string): Headers => [
      ['webhook-id', id],
      ['webhook-timestamp', time],
      ['webhook-signature', signature],
    ];
    const right = new StandardWebhook(SECRET).sign(id, new Date(NOW_MS), BODY);
    expect(ask(webhook, send(right)).code).toBe('VALID');
    expect(ask(webhook, send(`v1,${toBase64(hmac(base))}`)).code).toBe('KEY_NOT_DECODED');
    const hex = ask(webhook, send(`v1,${Buffer.from(right.slice(3), 'base64').toString('hex')}`));
    expect([hex.code, hex.message]).toEqual(['SIGNATURE_ENCODING', expect.stringMatching(/hex instead of base64/)]);
    const noId = ask(webhook, send(`v1,${toBase64(hmac(`${time}.${BODY}`, Buffer.from(bare, 'base64')))}`));
    expect([noId.code, noId.message]).toEqual(['SIGNED_STRING', expect.stringMatching(/lacks the id/)]);
    expect(ask(webhook, send(right).slice(1))).toMatchObject({ code: 'HEADER_MISSING' });
    expect(
      ask(
        webhook,
        send(right).filter(([name]) => name !== 'webhook-timestamp'),
      ).code,
    ).toBe('TIMESTAMP_MISSING');
    expect(ask(webhook, send(right.slice(3))).code).toBe('SIGNATURE_ITEM_MISSING');
  });

  it('Twilio: says which URL was signed', () => {
    const token = '12345678901234567890123456789012';
    const webhook = providerOf('twilio', token);
    const form = 'From=%2B1415&Body=hi';
    const parameters = { From: '+1415', Body: 'hi' };
    const send = (url: string, host = 'hooks.example'): Headers => [
      ['Host', host],
      ['Content-Type', 'application/x-www-form-urlencoded'],
      ['X-Twilio-Signature', twilio.getExpectedTwilioSignature(token, url, parameters)],
    ];
    const sent = { body: form };
    expect(ask(webhook, send(PUBLIC_URL + TARGET), sent).code).toBe('VALID');
    for (const url of [
      `http://hooks.example${TARGET}`,
      `${PUBLIC_URL}${TARGET}/`,
      `https://proxy.example:8443${TARGET}`,
      `https://other.example${TARGET}`,
    ]) {
      const result = ask(webhook, send(url, 'proxy.example:8443'), { ...sent, calledOrigin: 'https://other.example' });
      expect(result.code).toBe('URL_DIFFERS');
      expect(result.message).toContain(`it is of the URL ${url}, and this gateway is called ${PUBLIC_URL}${TARGET}`);
    }
  });

  it('Twilio: JSON without its hash in the URL', async () => {
    const sender = senderOf('twilio');
    const webhook = providerOf('twilio', sender.secrets[0]);
    const { headers, url } = await sender.sign(sender.secrets[0], sender.body, { url: PUBLIC_URL + TARGET, atMs: 0 });
    const target = url.slice(PUBLIC_URL.length);
    const changed = ask(webhook, Object.entries(headers), { body: `${sender.body} `, target });
    expect([changed.code, changed.message]).toEqual(['BODY_HASH', expect.stringContaining('bodySHA256')]);
    expect(ask(webhook, Object.entries(headers), { body: sender.body })).toMatchObject({ code: 'BODY_HASH' });
  });

  it('HubSpot: the older header, seconds', () => {
    const webhook = providerOf('hubspot', SECRET);
    const result = ask(webhook, [['X-HubSpot-Signature', hmac(BODY)]]);
    expect([result.code, result.message]).toEqual([
      'HEADER_MISNAMED',
      expect.stringContaining('X-HubSpot-Signature came'),
    ]);
    const seconds = String(NOW_MS / 1_000);
    const signature = toBase64(hmac(`POST${PUBLIC_URL}${TARGET}${BODY}${seconds}`));
    const headers: Headers = [
      ['X-HubSpot-Request-Timestamp', seconds],
      ['X-HubSpot-Signature-v3', signature],
    ];
    expect(ask(webhook, headers)).toMatchObject({ code: 'TIMESTAMP_UNIT' });
  });

  it('Discord: a secret that is no public key; a body that was serialised again', async () => {
    const sender = senderOf('discord');
    const [key] = sender.secrets;
    const request = await sender.sign(key, '{"a":1}', { url: PUBLIC_URL + TARGET, atMs: NOW_MS });
    const headers = Object.entries(request.headers);
    expect(ask(providerOf('discord', 'not a public key'), headers, { body: '{"a":1}' }).code).toBe(
      'PUBLIC_KEY_INVALID',
    );
    expect(ask(providerOf('discord', key), headers, { body: '{ "a": 1 }' }).code).toBe('BODY_RESERIALIZED');
  });

  it('Microsoft Graph: another secret in one of the notifications', () => {
    const webhook = providerOf('microsoft-graph', SECRET);
    const body = (...states: (string | number)[]): Sent => ({
      body: JSON.stringify({ value: states.map((clientState) => ({ clientState })) }),
    });
    expect(ask(webhook, [], body(SECRET, SECRET)).code).toBe('VALID');
    expect(ask(webhook, [], body(SECRET, THEIRS)).code).toBe('SECRET_WRONG');
    expect(ask(webhook, [], body(THEIRS)).code).toBe('SECRET_OF_OTHER_WEBHOOK');
    expect(ask(webhook, [], body(1)).code).toBe('CREDENTIAL_NOT_IN_BODY');
  });
});

afterAll(() => {
  // What the cases above produced, all together.
  expect([...covered].toSorted()).toEqual(Object.keys(REMEDIES).toSorted());
});

it('never says a secret, a part of one or a signature', () => {
  const secrets = [SECRET, OLD, LEAKED, THEIRS, ...SENDERS.flatMap((sender) => [...sender.secrets])];
  const parts = secrets.flatMap((secret) => [secret, secret.slice(-10), secret.slice(6, 16)]);
  const text = said.join('\n');
  expect(said.length).toBeGreaterThan(150);
  expect(parts.filter((part) => text.includes(part))).toEqual([]);
  expect(text).not.toMatch(/[0-9a-f]{32}|[A-Za-z0-9+/]{40}/);
});

it('the page lists every code', () => {
  const page = readFileSync(new URL('../../../docs/signatures.md', import.meta.url), 'utf8');
  const listed = [...page.matchAll(/^\| `([A-Z_]+)` \|/gm)].map((match) => match[1]!);
  expect(listed).toEqual(Object.keys(REMEDIES));
});
