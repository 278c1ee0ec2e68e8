import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { AppError } from '../errors.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Cidr = [Address, number];

/**
 * Unicast addresses that no outbound request needs and that reach inside: Azure's platform address answers every
 * virtual machine with its own credentials (Microsoft Learn, "What is IP address 168.63.129.16?").
 */
const NEVER = new Set(['168.63.129.16']);

/** The only IPv6 block that IANA hands out as global unicast (IANA IPv6 address space registry). */
const GLOBAL_IPV6: Cidr = [ipaddr.IPv6.parse('2000::'), 3];

/**
 * Decides which addresses outbound requests may dial: globally reachable ones (IANA special-purpose registries,
 * RFC 6890), and those in the operator's CIDRs. An address that carries another inside it (IPv4-mapped, NAT64,
 * 6to4, Teredo, ISATAP) is refused whatever it carries: whoever wants to reach that one names it plainly.
 */
export class AddressPolicy {
  readonly #allowed: readonly Cidr[];

  /**
   * @param allowedCidrs such as `10.1.0.0/16` or `fd00::/8`.
   * @throws AppError CONFIGURATION_INVALID naming the entry that is no CIDR.
   */
  constructor(allowedCidrs: readonly string[]) {
    this.#allowed = allowedCidrs.map(parseCidr);
  }

  /** @param address as a resolver gives it or a URL carries it, without brackets. What is no address is refused. */
  allows(address: string): boolean {
    if (isIP(address) === 0 || !ipaddr.isValid(address)) return false; // Node takes zones at which the other throws
    const parsed = ipaddr.parse(address);
    if (this.#allowed.some((cidr) => matches(parsed, cidr))) return true;
    return isGlobal(parsed);
  }
}

function parseCidr(text: string): Cidr {
  try {
    const [address, bits] = ipaddr.parseCIDR(text);
    return [address, bits];
  } catch (error) {
    throw new AppError('CONFIGURATION_INVALID', `"${text}" is not a CIDR such as 10.0.0.0/8 or fd00::/8.`, {
      cause: error,
    });
  }
}

function matches(address: Address, [network, bits]: Cidr): boolean {
  return address.kind() === network.kind() && address.match(network, bits);
}

function isGlobal(address: Address): boolean {
  if (address.range() !== 'unicast' || NEVER.has(address.toString())) return false;
  return address.kind() === 'ipv4' || (matches(address, GLOBAL_IPV6) && !isIsatap(address as ipaddr.IPv6));
}

/** An ISATAP interface identifier, `…:0:5efe:a.b.c.d`, tunnels to the IPv4 address in it (RFC 5214). */
function isIsatap(address: ipaddr.IPv6): boolean {
  const [, , , , fifth, sixth] = address.parts;
  return (fifth === 0 || fifth === 0x200) && sixth === 0x5efe;
}
