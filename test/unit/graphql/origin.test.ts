import { describe, expect, it } from '@jest/globals';
import { isOwnOrigin } from '../../../src/graphql/origin.js';

describe('isOwnOrigin', () => {
  const facts = { requestId: 'r', secure: true, host: 'Gateway.example:443' };
  const isOwn = (origin: string | undefined): boolean => isOwnOrigin(origin, facts, 'https://public.example/base');

  it('takes programs, which name none', () => {
    expect(isOwn(undefined)).toBe(true);
  });

  it('takes the host that was asked for and the public one', () => {
    expect(isOwn('https://gateway.example')).toBe(true);
    expect(isOwn('https://public.example')).toBe(true);
  });

  it.each([
    ['another host', 'https://evil.example'],
    ['another scheme', 'http://gateway.example'],
    ['another port', 'https://gateway.example:8443'],
    ['a host that only ends like ours', 'https://evil-gateway.example'],
    ['an opaque origin', 'null'],
    ['an empty one', ''],
    ['no URL at all', 'gateway.example'],
  ])('refuses %s', (_, origin) => {
    expect(isOwn(origin)).toBe(false);
  });

  it('does not take an opaque origin for a host that is none', () => {
    expect(isOwnOrigin('null', { ...facts, host: '' }, '')).toBe(false);
  });
});
