import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { providerCommand } from '../../../src/webhooks/manage/provider-command.js';
import { parseDefinition } from '../../../src/webhooks/providers/definition.js';
import { toProvider } from '../../../src/webhooks/providers/stored-provider.js';
import type { Provider } from '../../../src/webhooks/verify/provider/provider.js';
import { PROVIDERS } from '../../../src/webhooks/verify/provider/providers.js';
import { verifyProvider } from '../../../src/webhooks/verify/provider/verify-provider.js';

const SCHEME = { scheme: 'hmac', alg: 'sha256', enc: 'hex', header: 'X-Acme-Signature', base: '{body}' };

const faultsOf = (definition: unknown): string[] => {
  const parsed = parseDefinition(definition);
  return 'userErrors' in parsed ? parsed.userErrors.map(({ field }) => field.join('.')) : [];
};

const withScheme = (scheme: object): object => ({ schemes: [{ ...SCHEME, ...scheme }] });

const own = (definition: object): Provider => {
  const parsed = parseDefinition(definition);
  if ('userErrors' in parsed) throw new Error(JSON.stringify(parsed.userErrors));
  return toProvider({ id: 'provider-x', name: 'Acme', definition: parsed.definition });
};

describe("a user's own definition", () => {
  it('has a form in which every built-in one can be written', () => {
    for (const { id, name, secretForm: _, ...definition } of PROVIDERS) {
      expect([id, parseDefinition(definition)]).toEqual([id, { definition }]);
      expect(own(definition)).toEqual({ id: 'provider-x', name: 'Acme', ...definition });
      expect(name).not.toBe('');
    }
  });

  it('has an id that no built-in one can have', () => {
    expect(PROVIDERS.filter(({ id }) => id.startsWith('provider-'))).toEqual([]);
  });

  it('needs no more than one scheme', () => {
    expect(parseDefinition({ schemes: [SCHEME] })).toEqual({
      definition: { schemes: [{ ...SCHEME, base: ['{body}'] }], secretFrom: 'user', dedup: {}, setup: '' },
    });
  });

  it.each([
    ['nothing', undefined, ['definition']],
    ['a text', 'hmac', ['definition']],
    ['no schemes', {}, ['definition.schemes']],
    ['no scheme in them', { schemes: [] }, ['definition.schemes.0']],
    ['five schemes', { schemes: Array.from({ length: 5 }, () => SCHEME) }, ['definition.schemes']],
    ['an unknown member', { schemes: [SCHEME], extra: 1 }, ['definition']],
    ['an unknown scheme', withScheme({ scheme: 'rsa' }), ['definition.schemes.0.scheme']],
    ['an unknown algorithm', withScheme({ alg: 'md5' }), ['definition.schemes.0.alg']],
    ['an unknown encoding', withScheme({ enc: 'base32' }), ['definition.schemes.0.enc']],
    ['a header with spaces', withScheme({ header: 'X Acme' }), ['definition.schemes.0.header']],
    ['a header of HTTP', withScheme({ header: 'Content-Length' }), ['definition.schemes.0.header']],
    ['a base without the body', withScheme({ base: '{method}' }), ['definition.schemes.0.base']],
    ['one base of two without the body', withScheme({ base: ['{body}', 'x'] }), ['definition.schemes.0.base']],
    ['an unknown part', withScheme({ base: '{body}{secret}' }), ['definition.schemes.0.base']],
    ['a time without a ts', withScheme({ base: '{timestamp}.{body}' }), ['definition.schemes.0.base']],
    [
      'a time that is not signed',
      withScheme({ ts: { from: 'header', name: 'X-Time', unit: 's', toleranceMs: 300_000 } }),
      ['definition.schemes.0.base'],
    ],
    [
      'a time without a tolerance',
      withScheme({ base: '{timestamp}{body}', ts: { from: 'header', name: 'X-Time', unit: 's' } }),
      ['definition.schemes.0.ts.toleranceMs'],
    ],
    [
      'a tolerance of ten years',
      withScheme({ base: '{timestamp}{body}', ts: { from: 'header', name: 'X-T', unit: 's', toleranceMs: 3e11 } }),
      ['definition.schemes.0.ts.toleranceMs'],
    ],
    [
      'a time in a signature that has no items',
      withScheme({ base: '{timestamp}{body}', ts: { from: 'signature', name: 't', unit: 's', toleranceMs: 1_000 } }),
      ['definition.schemes.0.ts'],
    ],
    ['an id without a header', withScheme({ base: '{id}{body}' }), ['definition.schemes.0.base']],
    ['an id that nothing uses', withScheme({ idHeader: 'X-Id' }), ['definition.schemes.0.idHeader']],
    ['a form of a URL that is not signed', withScheme({ url: 'decoded' }), ['definition.schemes.0.url']],
    [
      'a hash in a URL that is not signed',
      withScheme({ bodyHashParameter: 'h' }),
      ['definition.schemes.0.bodyHashParameter'],
    ],
    [
      'a hash in place of the body and forms unsigned',
      { ...withScheme({ base: '{url}', bodyHashParameter: 'h' }), sendsForms: true },
      ['definition.schemes.0.base'],
    ],
    ['a key that no secret of ours can be', withScheme({ key: { enc: 'hex' } }), ['definition.schemes.0.key']],
    [
      'a private key here',
      { schemes: [{ ...SCHEME, scheme: 'asymmetric', alg: 'ed25519', key: { enc: 'hex' } }] },
      ['definition.schemes.0.scheme'],
    ],
    [
      'two headers with the secret',
      {
        schemes: [
          { scheme: 'token', from: 'header', name: 'X-A' },
          { scheme: 'token', from: 'header', name: 'X-B' },
        ],
      },
      ['definition.schemes.1'],
    ],
    ['an unknown handshake', { schemes: [SCHEME], handshake: 'shake' }, ['definition.handshake']],
    ['a path that is none', { schemes: [SCHEME], dedup: { body: ['a..b'] } }, ['definition.dedup.body.0']],
    [
      'several faults',
      withScheme({ alg: 'md5', header: '' }),
      ['definition.schemes.0.alg', 'definition.schemes.0.header'],
    ],
  ])('is refused with %s', (_, definition, fields) => {
    expect(faultsOf(definition)).toEqual(fields);
  });

  it.each(['"', "'", '$', '`', '\\', '!', '$(id)', '${x}', '{', '\u0000', 'é'])(
    'has nothing that a shell would run: %j',
    (text) => {
      for (const scheme of [
        { base: `{body}${text}` },
        { header: `X${text}` },
        { extract: { kv: text, field: 'a' } },
        { extract: { kv: '=', field: `a${text}` } },
        { extract: { item: text, kv: '=', field: 'a' } },
        { key: { enc: 'base64', strip: `whsec_${text}` } },
        { bodyHashParameter: `h${text}`, base: '{url}' },
      ]) {
        expect(faultsOf(withScheme(scheme))).not.toEqual([]);
      }
    },
  );

  it('verifies what it describes, SHA-512 and hex keys too', () => {
    const provider = own({
      schemes: [{ ...SCHEME, alg: 'sha512', header: 'X-Sig', key: { enc: 'hex' } }],
      secretFrom: 'sender',
    });
    const secret = 'ab'.repeat(32);
    const body = Buffer.from('{"a":1}');
    const signature = createHmac('sha512', Buffer.from(secret, 'hex')).update(body).digest('hex');
    const verify = (rawHeaders: string[], key = secret): boolean =>
      verifyProvider(
        provider,
        [{ id: 's', secret: key, expiresAtMs: undefined }],
        { method: 'POST', publicUrl: 'https://x', target: '/', rawHeaders, body },
        0,
      ).verified;
    expect(verify(['X-Sig', signature])).toBe(true);
    expect(verify(['X-Sig', signature], 'cd'.repeat(32))).toBe(false);
    expect(verify(['X-Sig', signature], 'no hex at all, but long')).toBe(false);
  });

  it('gives a command that signs, of the escaped body as of the body', () => {
    const provider = own(withScheme({ base: 'v1:{method}:{escapedBody}:{method}' }));
    const command = providerCommand({ provider, url: 'https://x/y', secret: "'s'", body: "'{}'", headers: [] });
    expect(command).toContain('printf %s "v1:POST:${body}:POST"');
  });
});
