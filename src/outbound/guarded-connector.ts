import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import { AppError, codeOf } from '../errors.js';
import type { AddressPolicy } from './address-policy.js';

/** Resolves a host name to all of its addresses. */
export type Resolve = (hostname: string) => Promise<readonly LookupAddress[]>;

/** The system's resolver: `/etc/hosts` and DNS, in the order that it answers. */
export const systemResolve: Resolve = (hostname) =>
  new Promise((resolve, reject) => {
    dnsLookup(hostname, { all: true, order: 'verbatim' }, (error, addresses) => {
      if (error === null) resolve(addresses);
      else reject(error);
    });
  });

/** One text for every refusal: it must not tell what a name resolves to inside the operator's network. */
export function refused(): AppError {
  return new AppError('OUTBOUND_REFUSED');
}

export interface GuardedConnectorOptions {
  readonly policy: Pick<AddressPolicy, 'allows'>;
  readonly resolve: Resolve;
  /** Milliseconds for name, TCP and TLS together. */
  readonly connectTimeoutMs: number;
}

/**
 * Connects only to addresses that the policy allows. A name is resolved once and every address that it has is
 * checked before any is dialled: dialling takes the checked list, so a name that changes its mind in between changes
 * nothing. Literal hosts never reach a lookup and are checked here. TLS keeps the original name for SNI and the
 * certificate. The address that was reached is checked once more, against a kernel or proxy that redirects.
 */
export function guardedConnector(options: GuardedConnectorOptions): buildConnector.connector {
  const { policy, resolve, connectTimeoutMs } = options;

  const lookup: LookupFunction = (hostname, _options, callback) => {
    resolve(hostname).then(
      (addresses) => {
        if (addresses.length === 0) callback(new Error(`${hostname} has no address`), []);
        else if (addresses.every(({ address }) => policy.allows(address))) callback(null, [...addresses]);
        else callback(refused(), []);
      },
      (error: unknown) =>
        callback(Object.assign(new Error('the lookup failed', { cause: error }), { code: codeOf(error) }), []),
    );
  };

  const connect = buildConnector({
    timeout: connectTimeoutMs,
    allowH2: false,
    lookup,
    autoSelectFamily: true,
  });

  return (target, callback) => {
    const host = target.hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) !== 0 && !policy.allows(host)) {
      queueMicrotask(() => callback(refused(), null));
      return;
    }
    connect(target, (...result) => {
      const [error, socket] = result;
      if (error === null && !policy.allows(socket.remoteAddress ?? '')) {
        socket.destroy();
        callback(refused(), null);
        return;
      }
      callback(...result);
    });
  };
}
