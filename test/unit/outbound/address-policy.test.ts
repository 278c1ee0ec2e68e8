import { describe, expect, it } from '@jest/globals';
import { AddressPolicy } from '../../../src/outbound/address-policy.js';

const nothingAllowed = new AddressPolicy([]);

describe('AddressPolicy', () => {
  it.each([
    ['1.1.1.1'],
    ['8.8.8.8'],
    ['100.63.255.255'],
    ['100.128.0.1'],
    ['172.15.255.255'],
    ['172.32.0.1'],
    ['223.255.255.254'],
    ['2606:4700:4700::1111'],
    ['2a00:1450:4001::1'],
  ])('allows the global address %s', (address) => {
    expect(nothingAllowed.allows(address)).toBe(true);
  });

  it.each([
    ['loopback', '127.0.0.1'],
    ['loopback, its far end', '127.255.255.254'],
    ['this network', '0.0.0.0'],
    ['this network, a host in it', '0.1.2.3'],
    ['private', '10.0.0.1'],
    ['private', '172.16.0.1'],
    ['private', '172.31.255.255'],
    ['private', '192.168.1.1'],
    ['link-local', '169.254.0.1'],
    ['cloud metadata', '169.254.169.254'],
    ['carrier-grade NAT', '100.64.0.1'],
    ['carrier-grade NAT, metadata of a cloud', '100.100.100.200'],
    ['IETF assignments, metadata of a cloud', '192.0.0.192'],
    ['the platform of a cloud', '168.63.129.16'],
    ['documentation', '192.0.2.1'],
    ['documentation', '198.51.100.1'],
    ['documentation', '203.0.113.1'],
    ['6to4 relay', '192.88.99.1'],
    ['benchmarking', '198.19.255.255'],
    ['multicast', '224.0.0.1'],
    ['reserved', '240.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['unspecified', '::'],
    ['loopback', '::1'],
    ['IPv4-compatible', '::7f00:1'],
    ['IPv4-mapped loopback', '::ffff:127.0.0.1'],
    ['IPv4-mapped loopback in hex', '::ffff:7f00:1'],
    ['IPv4-mapped global', '::ffff:8.8.8.8'],
    ['IPv4-translated', '::ffff:0:7f00:1'],
    ['NAT64', '64:ff9b::7f00:1'],
    ['NAT64 of a local prefix', '64:ff9b:1::a00:1'],
    ['6to4', '2002:7f00:1::1'],
    ['Teredo', '2001:0:4136:e378:8000:63bf:3fff:fdd2'],
    ['ISATAP', '2a00:1450::5efe:7f00:1'],
    ['ISATAP, universal bit', '2a00:1450::200:5efe:10.0.0.1'],
    ['link-local', 'fe80::1'],
    ['link-local with a zone', 'fe80::1%eth0'],
    ['site-local', 'fec0::1'],
    ['unique local', 'fc00::1'],
    ['cloud metadata', 'fd00:ec2::254'],
    ['multicast', 'ff02::1'],
    ['discard', '100::1'],
    ['documentation', '2001:db8::1'],
    ['documentation', '3fff::1'],
    ['ORCHID', '2001:20::1'],
    ['segment routing', '5f00::1'],
    ['not handed out', '4000::1'],
    ['a zone that only Node can read', 'fe80::1%br-0'],
    ['a name', 'localhost'],
    ['a number', '2130706433'],
    ['nothing', ''],
  ])('refuses %s: %s', (_what, address) => {
    expect(nothingAllowed.allows(address)).toBe(false);
  });

  it('allows what the operator lists, and only that', () => {
    const policy = new AddressPolicy(['10.1.0.0/16', 'fd00::/8', '127.0.0.1/32']);
    expect(policy.allows('10.1.2.3')).toBe(true);
    expect(policy.allows('fd12::1')).toBe(true);
    expect(policy.allows('127.0.0.1')).toBe(true);
    expect(policy.allows('10.2.0.1')).toBe(false);
    expect(policy.allows('127.0.0.2')).toBe(false);
    expect(policy.allows('fe80::1')).toBe(false);
    expect(policy.allows('::ffff:10.1.2.3')).toBe(false);
  });

  it('names an entry that is no CIDR', () => {
    expect(() => new AddressPolicy(['10.0.0.0/8', 'intranet'])).toThrow(
      expect.objectContaining({
        code: 'CONFIGURATION_INVALID',
        message: expect.stringContaining('"intranet"'),
      }),
    );
  });
});
