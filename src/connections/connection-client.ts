import { AppError } from '../errors.js';
import { parseId } from '../lib/ids.js';
import { type Fetch, fetchParts } from '../outbound/guarded-fetch.js';
import type { OutboundClient, OutboundRequest, OutboundResponse } from '../outbound/outbound-client.js';
import { lowerCased } from '../outbound/outbound-headers.js';
import type { ConnectionCache, OpenConnection } from './connection-cache.js';
import { isBelow, urlBelow } from '../outbound/url-below.js';

/** A request to an outside system; limits are as in {@link OutboundRequest}. */
export interface ConnectionRequest extends Omit<OutboundRequest, 'url' | 'headers'> {
  /** As definitions hold it: `conn-…`. */
  readonly connectionId: string;
  /** Below the base URL; it may end with a query. */
  readonly path: string;
  /** Added to the query, encoded here. */
  readonly query?: Readonly<Record<string, string>>;
  /** The connection's own headers and credential replace those of the same name. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ConnectionClientOptions {
  readonly connections: ConnectionCache;
  readonly outbound: OutboundClient;
}

/** Sends requests through stored connections: whoever asks names one and never sees its credential. */
export class ConnectionClient {
  readonly #options: ConnectionClientOptions;

  constructor(options: ConnectionClientOptions) {
    this.#options = options;
  }

  /**
   * @throws AppError CONNECTION_NOT_FOUND, OUTBOUND_PATH_INVALID, and what {@link OutboundClient.request} throws.
   */
  async request(request: ConnectionRequest): Promise<OutboundResponse> {
    const { connectionId, path, query = {}, headers = {}, ...rest } = request;
    const connection = await this.#open(connectionId);
    const url = urlBelow(connection.baseUrl, path);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return await this.#options.outbound.request({
      ...rest,
      url: withCredential(url, connection).href,
      headers: { ...lowerCased(headers), ...connection.headers },
    });
  }

  /**
   * A `fetch` bound to a connection, for libraries such as MCP clients: it adds the connection's headers and credential,
   * as they are at the time of each request, and refuses (OUTBOUND_REFUSED) whatever is not below the base URL.
   *
   * @throws AppError CONNECTION_NOT_FOUND.
   */
  async fetchFor(
    connectionId: string,
    options: { readonly responseBytesMax?: number } = {},
  ): Promise<{ readonly baseUrl: string; readonly fetch: Fetch }> {
    const { baseUrl } = await this.#open(connectionId);
    const send = this.#options.outbound.fetchWith(options);
    return {
      baseUrl,
      fetch: async (input, given) => {
        const connection = await this.#open(connectionId);
        const { target, init } = fetchParts(input, given);
        const url = URL.parse(target);
        if (url === null || !isBelow(connection.baseUrl, url)) throw new AppError('OUTBOUND_REFUSED', OUTSIDE);
        const headers = new Headers(init.headers);
        for (const [name, value] of Object.entries(connection.headers)) headers.set(name, value);
        return await send(withCredential(url, connection), { ...init, headers });
      },
    };
  }

  async #open(connectionId: string): Promise<OpenConnection> {
    const id = parseId('connection', connectionId);
    const connection = id === undefined ? undefined : await this.#options.connections.get(id);
    if (connection === undefined) throw new AppError('CONNECTION_NOT_FOUND');
    return connection;
  }
}

const OUTSIDE = 'The address is not below the base URL of the connection.';

/** Set, not added: whoever wrote the path must not put another credential before ours. */
function withCredential(url: URL, { query }: OpenConnection): URL {
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url;
}
