import { RefusedRequests } from '../access/refused-requests.js';
import { ConnectionCache } from '../connections/connection-cache.js';
import { ConnectionClient } from '../connections/connection-client.js';
import { OutboundClient } from '../outbound/outbound-client.js';
import type { Parts } from './parts.js';

/** Makes the one client of outgoing requests, and the connections that go through it. What it refuses is audited. */
export function buildOutbound(
  stack: AsyncDisposableStack,
  base: Pick<Parts, 'config' | 'log' | 'database' | 'hub' | 'listener' | 'keyring'>,
  ownerId: string,
): Pick<Parts, 'outbound' | 'connections'> {
  const { config, log, database, hub, listener, keyring } = base;
  const refused = stack.adopt(new RefusedRequests({ database, ownerId, log }), (it) => it.close());
  const outbound = stack.adopt(
    new OutboundClient({ allowedCidrs: config.outboundAllowedCidrs, onRefused: refused.note }),
    (it) => it.close(),
  );
  const cache = stack.adopt(
    new ConnectionCache({ sql: database.pool, hub, keyring, listening: () => listener.listening }),
    (it) => it.close(),
  );
  return { outbound, connections: new ConnectionClient({ connections: cache, outbound }) };
}
