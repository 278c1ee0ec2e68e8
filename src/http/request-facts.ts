import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { AppError } from '../errors.js';
import { newRandomUuid } from '../lib/ids.js';
import type { ClientCertificate } from '../webhooks/rules/client-certificate.js';
import { type CertificateHeaders, headerCertificate, socketCertificate } from './client-certificate.js';

/** What is to be known of a request besides its content, after trusted proxies. */
export interface RequestFacts {
  /** The caller's `X-Request-Id` if it is a sane one, else a new one. */
  readonly requestId: string;
  /** The caller's address: IPv4, or IPv6 in short form; empty when the socket has gone. */
  readonly sourceIp: string;
  /** Whether it was sent over HTTPS as far as the caller is concerned: TLS ends at the proxy. */
  readonly secure: boolean;
  /** Host and port that the caller asked for. Only for comparing origins: URLs are built from configuration. */
  readonly host: string;
  /** Finds the caller's verified client certificate; not there where none can have come. */
  readonly clientCertificate?: () => ClientCertificate | undefined;
}

export type ReadRequestFacts = (req: IncomingMessage) => RequestFacts;

type Network = readonly [address: ipaddr.IPv4 | ipaddr.IPv6, prefixBits: number];

const REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/;

/**
 * Reads a request's facts. `X-Forwarded-For`, `-Proto`, `-Host` and the headers of certificates count only when the
 * peer is a trusted proxy; then its own certificate is not the caller's.
 *
 * @param trustedProxies addresses and CIDRs.
 * @param certificateHeaders without them no proxy's word for a certificate counts.
 * @throws AppError CONFIGURATION_INVALID when one of them is neither.
 */
export function requestFactsReader(
  trustedProxies: readonly string[],
  certificateHeaders?: CertificateHeaders,
): ReadRequestFacts {
  const networks = trustedProxies.map(parseNetwork);
  const isTrusted = (address: string): boolean => {
    if (networks.length === 0 || !isAddress(address)) return false;
    const parsed = ipaddr.process(address);
    return networks.some(([network, bits]) => network.kind() === parsed.kind() && parsed.match([network, bits]));
  };
  return (req) => {
    const { headers, socket } = req;
    const given = headers['x-request-id'];
    const requestId = typeof given === 'string' && REQUEST_ID.test(given) ? given : newRandomUuid();
    const peer = plainAddress(socket.remoteAddress ?? '');
    const host = headers.host ?? '';
    if (!isTrusted(peer)) {
      const facts = { requestId, sourceIp: peer, secure: isEncrypted(req), host };
      return facts.secure ? { ...facts, clientCertificate: () => socketCertificate(socket) } : facts;
    }
    return {
      requestId,
      sourceIp: clientAddress(peer, listOf(headers['x-forwarded-for']), isTrusted),
      secure: (listOf(headers['x-forwarded-proto']).at(-1) ?? protocolOf(req)).toLowerCase() === 'https',
      host: listOf(headers['x-forwarded-host']).at(-1) ?? host,
      ...(certificateHeaders !== undefined && {
        clientCertificate: () => headerCertificate(req.rawHeaders, certificateHeaders),
      }),
    };
  };
}

/** Whether an address of {@link RequestFacts} is this machine's own. */
export function isLoopback(sourceIp: string): boolean {
  return sourceIp === '::1' || sourceIp.startsWith('127.');
}

/**
 * The right-most address that is not a trusted proxy: each proxy appends whom it heard from, so what stands left of
 * the first stranger is only that stranger's claim. What is no address ends the walk at the proxy that wrote it.
 */
function clientAddress(peer: string, forwardedFor: readonly string[], isTrusted: (address: string) => boolean): string {
  let client = peer;
  for (const entry of forwardedFor.toReversed()) {
    const address = withoutPort(entry);
    if (!isAddress(address)) return client;
    client = plainAddress(address);
    if (!isTrusted(client)) return client;
  }
  return client;
}

/** Some proxies write `203.0.113.7:4711` or `[2001:db8::7]:4711`. */
function withoutPort(entry: string): string {
  return /^\[([^\]]+)\](?::\d+)?$/.exec(entry)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(entry)?.[1] ?? entry;
}

function plainAddress(address: string): string {
  if (!address.includes(':')) return address;
  return isAddress(address) ? ipaddr.process(address).toString() : address;
}

/**
 * Both are asked: ipaddr.js also takes the old forms (`10.1`, `0x7f.1`), which nobody means, and throws at zones that
 * Node takes (`fe80::1%br-0`).
 */
function isAddress(text: string): boolean {
  return isIP(text) !== 0 && ipaddr.isValid(text);
}

function listOf(header: string | readonly string[] | undefined): string[] {
  const text = typeof header === 'string' ? header : (header ?? []).join(',');
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function isEncrypted(req: IncomingMessage): boolean {
  return 'encrypted' in req.socket && req.socket.encrypted === true;
}

function protocolOf(req: IncomingMessage): string {
  return isEncrypted(req) ? 'https' : 'http';
}

function parseNetwork(text: string): Network {
  const [address = '', prefix] = text.split('/');
  try {
    if (!isAddress(address)) throw new Error('not an IP address');
    if (prefix !== undefined) return ipaddr.parseCIDR(text);
    const parsed = ipaddr.process(address);
    return [parsed, parsed.kind() === 'ipv4' ? 32 : 128];
  } catch (error) {
    throw new AppError(
      'CONFIGURATION_INVALID',
      `A trusted proxy must be an address or a CIDR, and "${text}" is neither.`,
      { cause: error },
    );
  }
}
