import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

type Network = readonly [address: ipaddr.IPv4 | ipaddr.IPv6, prefixBits: number];

/** IPv4 addresses as IPv6 writes them (RFC 4291, 2.5.5.2). */
const MAPPED_BITS = 96;

/** Whether an address, as the transport gives it, is in a list. */
export type AddressList = (address: string) => boolean;

/**
 * Reads an address or a CIDR. IPv4-mapped ones, `::ffff:192.0.2.0/120`, are the IPv4 ones that they stand for.
 *
 * @returns `undefined` for what is neither.
 */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', prefix, ...rest] = text.split('/');
  // ipaddr.js also takes the old forms of IPv4 (`10.1`), and Node zones: neither is meant.
  if (rest.length > 0 || isIP(address) === 0 || !ipaddr.isValid(address) || address.includes('%')) return undefined;
  const parsed = ipaddr.parse(address);
  const bitsMax = parsed.kind() === 'ipv4' ? 32 : 128;
  if (prefix !== undefined && !/^\d{1,3}$/.test(prefix)) return undefined;
  const bits = prefix === undefined ? bitsMax : Number(prefix);
  if (bits > bitsMax) return undefined;
  const plain = ipaddr.process(address);
  if (plain.kind() === parsed.kind()) return [parsed, bits];
  return bits < MAPPED_BITS ? [parsed, bits] : [plain, bits - MAPPED_BITS];
}

/** Prepares a list whose entries were checked when it was saved; what is no network allows nobody. */
export function addressList(entries: readonly string[]): AddressList {
  const networks = entries.map(parseNetwork).filter((network) => network !== undefined);
  return (address) => {
    if (isIP(address) === 0 || !ipaddr.isValid(address)) return false;
    const parsed = ipaddr.process(address);
    return networks.some(([network, bits]) => network.kind() === parsed.kind() && parsed.match(network, bits));
  };
}
