import { describe, expect, it } from '@jest/globals';
import type { IdempotencyKey } from '../../../src/calls/idempotency.js';
import { findProvider } from '../../../src/webhooks/verify/provider/providers.js';
import { type KeyedCall, readIdempotencyKey } from '../../../src/webhooks/idempotency-key.js';

const WEBHOOK: KeyedCall['webhook'] = {
  id: '0b2e3f10-0000-4000-8000-000000000001',
  authentication: {
    method: 'HMAC_SIGNATURE',
    headerName: 'x-webhook-signature',
    headerPrefix: 'sha256=',
    provider: undefined,
  },
  idempotencyWindowMs: undefined,
  idempotencyPointer: undefined,
};

function read(
  headers: readonly string[],
  webhook: Partial<KeyedCall['webhook']> = {},
  text = '{}',
): ReturnType<typeof readIdempotencyKey> {
  return readIdempotencyKey({
    webhook: { ...WEBHOOK, ...webhook },
    rawHeaders: headers,
    body: Buffer.from(text),
    inputParams: JSON.parse(text) as object,
    windowMs: 1_000,
  });
}

const key = (...args: Parameters<typeof read>): IdempotencyKey => {
  const found = read(...args);
  if (found === undefined || found === 'malformed') throw new Error(`no key but ${String(found)}`);
  return found;
};

const at = (pointer: string, text: string): IdempotencyKey | undefined | 'malformed' =>
  read([], { idempotencyPointer: pointer }, text);

describe('readIdempotencyKey', () => {
  it('gives nothing to a call without a key', () => {
    expect(read(['Content-Type', 'application/json'])).toBeUndefined();
  });

  it.each([
    ['bare', 'a b,c=/+', 'a b,c=/+'],
    ['quoted', '"a b"', 'a b'],
    ['with escapes', String.raw`"a\"b\\c"`, String.raw`a"b\c`],
    ['of one character', 'k', 'k'],
    ['of 255 characters', 'k'.repeat(255), 'k'.repeat(255)],
  ])('reads a key %s', (_, value, text) => {
    expect(key(['Idempotency-KEY', value])).toMatchObject({ deliveryId: text, windowMs: 1_000 });
  });

  it.each([
    ['empty', ['Idempotency-Key', '']],
    ['empty in quotes', ['Idempotency-Key', '""']],
    ['too long', ['Idempotency-Key', 'k'.repeat(256)]],
    ['too long in quotes', ['Idempotency-Key', `"${'k'.repeat(256)}"`]],
    ['an open quote', ['Idempotency-Key', '"k']],
    ['an unknown escape', ['Idempotency-Key', String.raw`"\k"`]],
    ['parameters', ['Idempotency-Key', '"k";a=1']],
    ['not ASCII', ['Idempotency-Key', 'k\u00e4y']],
    ['sent twice', ['Idempotency-Key', 'k', 'idempotency-key', 'k']],
  ])('refuses a key that is %s', (_, headers) => {
    expect(read(headers)).toBe('malformed');
  });

  it('knows the quoted form of a key from no other than the bare one', () => {
    expect(key(['Idempotency-Key', '"k"'])).toEqual(key(['Idempotency-Key', 'k']));
    expect(key(['Idempotency-Key', 'l']).keyHash).not.toEqual(key(['Idempotency-Key', 'k']).keyHash);
  });

  it('tells webhooks, kinds of key and pointers apart', () => {
    const text = '{"a":"k","b":"k"}';
    const keys = [
      key(['Idempotency-Key', 'k'], {}, text),
      key(['Idempotency-Key', 'k'], { id: '0b2e3f10-0000-4000-8000-000000000002' }, text),
      key([], { idempotencyPointer: '/a' }, text),
      key([], { idempotencyPointer: '/b' }, text),
    ];
    expect(new Set(keys.map(({ keyHash }) => keyHash.toString('hex'))).size).toBe(4);
  });

  it('compares bodies byte by byte', () => {
    const bodyHash = (text: string): Buffer => key(['Idempotency-Key', 'k'], {}, text).bodyHash;
    expect(bodyHash('{"a":1}')).toEqual(bodyHash('{"a":1}'));
    expect(bodyHash('{"a":1}')).not.toEqual(bodyHash('{"a": 1}'));
  });

  it("takes the webhook's own window", () => {
    expect(key(['Idempotency-Key', 'k'], { idempotencyWindowMs: 5 }).windowMs).toBe(5);
  });

  it('finds an id by a pointer: texts and numbers', () => {
    expect(at('/a/0/x~1y', '{"a":[{"x/y":"evt"}]}')).toMatchObject({ deliveryId: 'evt' });
    expect(at('/id', '{"id":7}')).toMatchObject({ deliveryId: '7' });
  });

  it('tells numbers apart that are the same once parsed', () => {
    const [one, two] = ['12345678901234567890', '12345678901234567891'].map((digits) =>
      at('/a/id', `{"a":{"id":${digits}}}`),
    );
    expect(one).toMatchObject({ deliveryId: '12345678901234567890' });
    expect(two).toMatchObject({ deliveryId: '12345678901234567891' });
  });

  it('has no key where there is no id', () => {
    for (const text of ['{}', '{"id":null}', '{"id":""}', '{"id":true}', '{"id":{}}', '{"id":["a"]}']) {
      expect({ text, key: at('/id', text) }).toEqual({ text, key: undefined });
    }
  });

  it('walks own properties only', () => {
    expect(at('/constructor/name', '{}')).toBeUndefined();
    expect(at('/a/length', '{"a":["x"]}')).toBeUndefined();
    expect(at('/__proto__', '{"__proto__":"k"}')).toMatchObject({ deliveryId: 'k' });
  });

  it("takes a sender's own id, of whatever body, behind a key and a pointer", () => {
    const github = {
      authentication: { ...WEBHOOK.authentication, method: 'PROVIDER', provider: findProvider('github')! },
    } as const;
    const headers = ['X-GitHub-Delivery', '72d3162e'];
    const first = key(headers, github, '{"id":"a"}');
    expect(first.deliveryId).toBe('72d3162e');
    expect(key(headers, github, '{"id":"b"}')).toEqual(first);
    expect(key(['X-GitHub-Delivery', 'another'], github).keyHash).not.toEqual(first.keyHash);
    expect(key([...headers, 'Idempotency-Key', 'k'], github).deliveryId).toBe('k');
    expect(key(headers, { ...github, idempotencyPointer: '/id' }, '{"id":"b"}').deliveryId).toBe('b');
    expect(key(headers, { ...github, idempotencyPointer: '/none' }, '{"id":"b"}').deliveryId).toBe('72d3162e');
    expect(read(headers)).toBeUndefined();
  });

  it('shows no U+0000, which the database does not take, and no endless id', () => {
    expect(at('/id', String.raw`{"id":"a\u0000b"}`)).toMatchObject({ deliveryId: 'a\u{fffd}b' });
    const [long, longer] = ['x'.repeat(300), `${'x'.repeat(300)}y`].map((id) =>
      key([], { idempotencyPointer: '/id' }, `{"id":"${id}"}`),
    );
    expect(long!.deliveryId).toHaveLength(255);
    expect(long!.keyHash).not.toEqual(longer!.keyHash);
  });
});
