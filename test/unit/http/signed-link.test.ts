import { describe, expect, it } from '@jest/globals';
import { LINK_VALID_S, LinkSigner } from '../../../src/http/signed-link.js';

const key = Buffer.alloc(32, 7);
const path = '/api/v1/executions/exec-1';
let nowMs = 1_800_000_000_000;
const links = new LinkSigner(key, { nowMs: () => nowMs, monotonicMs: () => 0 });

function signed(signer = links): { expires: string; signature: string } {
  const { searchParams, pathname } = new URL(signer.sign(path), 'http://host');
  expect(pathname).toBe(path);
  return { expires: searchParams.get('expires')!, signature: searchParams.get('signature')! };
}

describe('LinkSigner', () => {
  it('opens its own path until it expires', () => {
    const { expires, signature } = signed();
    expect(links.check(path, expires, signature)).toBe('valid');
    nowMs += LINK_VALID_S * 1000 - 1;
    expect(links.check(path, expires, signature)).toBe('valid');
    nowMs += 1;
    expect(links.check(path, expires, signature)).toBe('expired');
  });

  it('opens nothing else', () => {
    const { expires, signature } = signed();
    const other = signed(new LinkSigner(Buffer.alloc(32, 8), { nowMs: () => nowMs, monotonicMs: () => 0 }));
    expect(links.check('/api/v1/executions/exec-2', expires, signature)).toBe('invalid');
    expect(links.check(path, String(Number(expires) + 1), signature)).toBe('invalid');
    expect(
      links.check(
        path,
        expires,
        signature.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
      ),
    ).toBe('invalid');
    expect(links.check(path, other.expires, other.signature)).toBe('invalid');
  });

  it.each([
    ['no parameters', undefined, undefined],
    ['repeated ones', ['1', '2'], ['a', 'b']],
    ['a short signature', '1900000000', '00'],
    ['a signature that is no hex', '1900000000', 'z'.repeat(64)],
    ['a moment that is no number', '1e12', '0'.repeat(64)],
  ])('takes %s for invalid', (_, expires, signature) => {
    expect(links.check(path, expires, signature)).toBe('invalid');
  });
});
