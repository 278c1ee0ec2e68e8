import { ConnectionCache } from '../connections/connection-cache.js';
import { ConnectionClient } from '../connections/connection-client.js';
import { OutboundClient } from '../outbound/outbound-client.js';
import type { Parts } from './parts.js';

/** Makes the one client of outgoing requests, and the connections that go through it. */
export function buildOutbound(
  stack: AsyncDisposableStack,
  base: Pick<Parts, 'config' | 'database' | 'hub' | 'listener' | 'keyring'>,
): Pick<Parts, 'outbound' | 'connections'> {
  const { config, database, hub, listener, keyring } = base;
  const outbound = stack.adopt(new OutboundClient({ allowedCidrs: config.outboundAllowedCidrs }), (it) => it.close());
  const cache = stack.adopt(
    new ConnectionCache({ sql: database.pool, hub, keyring, listening: () => listener.listening }),
    (it) => it.close(),
  );
  return { outbound, connections: new ConnectionClient({ connections: cache, outbound }) };
}
