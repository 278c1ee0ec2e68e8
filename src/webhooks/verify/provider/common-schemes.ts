import type { HmacScheme, TimestampRule } from './provider.js';

/** For senders that name no other: what most of them name, five minutes. */
export const toleranceMs = 300_000;

/** https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
export function standardWebhooks(prefix: 'webhook' | 'svix'): HmacScheme {
  return {
    scheme: 'hmac',
    alg: 'sha256',
    enc: 'base64',
    header: `${prefix}-signature`,
    extract: { item: ' ', kv: ',', field: 'v1' },
    ts: { from: 'header', name: `${prefix}-timestamp`, unit: 's', toleranceMs },
    base: ['{id}.{timestamp}.{body}'],
    idHeader: `${prefix}-id`,
    key: { enc: 'base64', strip: 'whsec_' },
  };
}

/** An HMAC-SHA256 over the body alone. */
export function overBody(header: string, enc: 'hex' | 'base64', field?: string): HmacScheme {
  const extract = field === undefined ? {} : { extract: { kv: '=', field } };
  return { scheme: 'hmac', alg: 'sha256', enc, header, ...extract, base: ['{body}'] };
}

/** `t=1700000000,v1=…`, several `v1` while a secret is being rolled. */
export function timedItems(header: string, tolerance: number): HmacScheme {
  return {
    scheme: 'hmac',
    alg: 'sha256',
    enc: 'hex',
    header,
    extract: { item: ',', kv: '=', field: 'v1' },
    ts: { from: 'signature', name: 't', unit: 's', toleranceMs: tolerance },
    base: ['{timestamp}.{body}'],
  };
}

/** `v0=…` over `v0:timestamp:body`. */
export function versionZero(header: string, timestampHeader: string): HmacScheme {
  const ts: TimestampRule = { from: 'header', name: timestampHeader, unit: 's', toleranceMs };
  return {
    scheme: 'hmac',
    alg: 'sha256',
    enc: 'hex',
    header,
    extract: { kv: '=', field: 'v0' },
    ts,
    base: ['v0:{timestamp}:{body}'],
  };
}
