import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { transportRule } from '../../../src/http/middleware/require-https.js';
import { requestFactsReader } from '../../../src/http/request-facts.js';

function request(remoteAddress: string, headers: Record<string, string> = {}): IncomingMessage {
  return { headers, socket: { remoteAddress } } as unknown as IncomingMessage;
}

const read = requestFactsReader(['10.0.0.0/8', '127.0.0.1', '2001:db8::/32']);

describe('requestFactsReader', () => {
  it.each([
    ['takes the peer when it is no proxy', '203.0.113.9', '198.51.100.1', '203.0.113.9'],
    ['takes what a proxy heard', '10.0.0.1', '198.51.100.1', '198.51.100.1'],
    ['does not believe what stands left of a stranger', '10.0.0.1', '1.2.3.4, 198.51.100.1, 10.0.0.2', '198.51.100.1'],
    ['reads IPv6 and mapped IPv4', '::ffff:10.0.0.1', '[2600:0:0::5]:443', '2600::5'],
    ['leaves out a port', '10.0.0.1', '198.51.100.1:5123', '198.51.100.1'],
    ['stops at what is no address', '10.0.0.1', '198.51.100.1, unknown, 10.0.0.2', '10.0.0.2'],
    ['stops at an address whose zone can not be read', '10.0.0.1', 'fe80::1%eth-0', '10.0.0.1'],
    ['takes an address with a zone', '10.0.0.1', 'fe80::1%eth0', 'fe80::1%eth0'],
    ['takes a peer whose zone can not be read as it is', 'fe80::1%br-0', '198.51.100.1', 'fe80::1%br-0'],
    ['ends at the left-most when all are proxies', '10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['takes the proxy itself without a header', '10.0.0.1', undefined, '10.0.0.1'],
  ])('%s', (_, peer, forwardedFor, sourceIp) => {
    const headers = forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor };
    expect(read(request(peer, headers)).sourceIp).toBe(sourceIp);
  });

  it('believes the protocol and host of a trusted proxy only, and of the nearest one', () => {
    const headers = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'hooks.example', host: 'inner' };
    expect(read(request('10.0.0.1', headers))).toMatchObject({ secure: true, host: 'hooks.example' });
    expect(read(request('203.0.113.9', headers))).toMatchObject({ secure: false, host: 'inner' });
    expect(read(request('10.0.0.1', { 'x-forwarded-proto': 'https, http' })).secure).toBe(false);
    expect(requestFactsReader([])(request('10.0.0.1', headers)).secure).toBe(false);
  });

  it('takes a sane request id over and replaces others', () => {
    expect(read(request('::1', { 'x-request-id': 'Req_1.a-b' })).requestId).toBe('Req_1.a-b');
    for (const id of ['', 'a b', 'a\u00fc', '<script>', 'a'.repeat(129)]) {
      expect(read(request('::1', { 'x-request-id': id })).requestId).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  it.each(['10.0.0.0/33', 'proxy.example', '10.0.0'])('refuses %s as a proxy', (proxy) => {
    expect(() => requestFactsReader([proxy])).toThrow(expect.objectContaining({ code: 'CONFIGURATION_INVALID' }));
  });
});

describe('transportRule', () => {
  const facts = { requestId: 'r', host: 'h' };
  it('lets HTTPS through, and plain HTTP from this machine where it is allowed', () => {
    const development = transportRule(true);
    const production = transportRule(false);
    expect(production({ ...facts, sourceIp: '203.0.113.9', secure: true })).toBe(true);
    expect(production({ ...facts, sourceIp: '127.0.0.1', secure: false })).toBe(false);
    expect(development({ ...facts, sourceIp: '127.0.0.1', secure: false })).toBe(true);
    expect(development({ ...facts, sourceIp: '::1', secure: false })).toBe(true);
    expect(development({ ...facts, sourceIp: '203.0.113.9', secure: false })).toBe(false);
    expect(development({ ...facts, sourceIp: '', secure: false })).toBe(false);
  });
});
