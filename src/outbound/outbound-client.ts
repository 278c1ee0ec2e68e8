import { Agent, type Dispatcher } from 'undici';
import { AppError, codeOf } from '../errors.js';
import { AddressPolicy } from './address-policy.js';
import { guardedConnector, refused, type Resolve, systemResolve } from './guarded-connector.js';
import { type Fetch, guardedFetch } from './guarded-fetch.js';
import { parseOutboundUrl } from './outbound-url.js';

export interface OutboundClientOptions {
  /** CIDRs that may be reached although they are not global. */
  readonly allowedCidrs: readonly string[];
  /** How names become addresses; by default the system's way. */
  readonly resolve?: Resolve;
  /** Milliseconds for a name, TCP and TLS together, of every request; 10,000 by default. */
  readonly connectTimeoutMs?: number;
  /**
   * Hears of each refused request: its origin, as far as it could be read, and nothing else of the URL. It is called
   * as often as somebody tries, so it has to bound what it does.
   */
  readonly onRefused?: (origin: string) => void;
}

export interface FetchOptions {
  /**
   * Origins (`http://127.0.0.1:11434`) that are dialled whatever their address is. Only for what the operator wrote
   * into the environment: a URL that comes from a user of the API never belongs here.
   */
  readonly trustedOrigins?: readonly string[];
  /** Bytes of a response's body; reading beyond fails with OUTBOUND_RESPONSE_TOO_LARGE. No limit by default. */
  readonly responseBytesMax?: number;
}

/** What an HTTP worker may send. */
export const OUTBOUND_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
export type OutboundMethod = (typeof OUTBOUND_METHODS)[number];

export interface OutboundRequest {
  readonly method: OutboundMethod;
  /** An absolute http or https URL without user name and password. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
  /** Milliseconds for everything: name, connection, response and its body. */
  readonly timeoutMs: number;
  /** Milliseconds from the request's last byte to the response's headers; as long as `timeoutMs` by default. */
  readonly headersTimeoutMs?: number;
  /** Milliseconds of silence within the response's body; as long as `timeoutMs` by default. */
  readonly bodyTimeoutMs?: number;
  /** Bytes of the response's body that are read; the rest is left and the response marked. */
  readonly responseBytesMax: number;
}

export interface OutboundResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: Buffer;
  /** Whether the body was longer than `responseBytesMax`. */
  readonly truncated: boolean;
}

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * The one way out of the process: HTTP workers, connections, MCP servers, models, and whatever else calls addresses
 * that users name. It dials only what {@link AddressPolicy} allows, follows no redirect, knows no proxy of the
 * environment, and caps time and size.
 */
export class OutboundClient {
  /** A `fetch` under the same guard, without a limit of size. */
  readonly fetch: Fetch;
  readonly #agent: Agent;
  /** Dials any address. Its connections are never those of guarded requests. */
  readonly #unguarded: Agent;
  readonly #onRefused: (url: string) => void;

  constructor(options: OutboundClientOptions) {
    const { resolve = systemResolve, connectTimeoutMs = CONNECT_TIMEOUT_MS } = options;
    const agentWith = (policy: Pick<AddressPolicy, 'allows'>): Agent => {
      const connect = guardedConnector({ policy, resolve, connectTimeoutMs });
      // The time limits are the request's own; undici's defaults would only shorten a worker's timeout.
      return new Agent({ connect, headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 4_000 });
    };
    this.#agent = agentWith(new AddressPolicy(options.allowedCidrs));
    this.#unguarded = agentWith({ allows: () => true });
    this.#onRefused = (url) => options.onRefused?.(URL.parse(url)?.origin ?? 'null');
    this.fetch = this.fetchWith({});
  }

  /** A `fetch` under the same guard, but for the origins that the operator trusts. */
  fetchWith({ trustedOrigins = [], responseBytesMax }: FetchOptions): Fetch {
    const trusted = new Set(trustedOrigins.map((origin) => new URL(origin).origin));
    return guardedFetch({
      dispatcherFor: (url) => (trusted.has(url.origin) ? this.#unguarded : this.#agent),
      responseBytesMax,
      onRefused: this.#onRefused,
    });
  }

  /**
   * Sends one request. Any status is a response; redirects are responses too.
   *
   * @throws AppError OUTBOUND_REFUSED, not retryable, when the address must not be reached;
   *   HTTP_WORKER_UNREACHABLE, retryable, when it could not be; the signal's reason when it aborted.
   */
  async request(request: OutboundRequest): Promise<OutboundResponse> {
    const url = parseOutboundUrl(request.url);
    const timeout = AbortSignal.timeout(request.timeoutMs);
    try {
      if (url === undefined) throw refused();
      const response = await this.#agent.request({
        origin: url.origin,
        path: url.pathname + url.search,
        method: request.method,
        headers: request.headers,
        body: request.body ?? null,
        signal: AbortSignal.any([request.signal, timeout]),
        ...(request.headersTimeoutMs !== undefined && { headersTimeout: request.headersTimeoutMs }),
        ...(request.bodyTimeoutMs !== undefined && { bodyTimeout: request.bodyTimeoutMs }),
      });
      return {
        status: response.statusCode,
        headers: definedHeaders(response),
        ...(await readCapped(response, request)),
      };
    } catch (error) {
      if (error instanceof AppError) {
        if (error.code === 'OUTBOUND_REFUSED') this.#onRefused(request.url);
        throw error;
      }
      request.signal.throwIfAborted();
      throw unreachable(timeout.aborted ? 'no answer in time' : reasonOf(codeOf(error)), error);
    }
  }

  /** Ends every connection; requests under way fail. */
  async close(): Promise<void> {
    await Promise.all([this.#agent.destroy(), this.#unguarded.destroy()]);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  UND_ERR_HEADERS_TIMEOUT: 'no response in time',
  UND_ERR_BODY_TIMEOUT: 'the response stopped before its end',
};

function reasonOf(code: string | undefined): string {
  return code === undefined ? 'the connection failed' : (REASONS[code] ?? code);
}

function unreachable(reason: string, cause: unknown): AppError {
  return new AppError('HTTP_WORKER_UNREACHABLE', `The endpoint could not be reached: ${reason}.`, {
    retryable: true,
    cause,
  });
}

function definedHeaders({ headers }: Dispatcher.ResponseData): Record<string, string | readonly string[]> {
  const defined: [string, string | readonly string[]][] = [];
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) defined.push([name, value]);
  return Object.fromEntries(defined);
}

async function readCapped(
  { body }: Dispatcher.ResponseData,
  { responseBytesMax }: OutboundRequest,
): Promise<Pick<OutboundResponse, 'body' | 'truncated'>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Leaving the loop destroys the stream, and with it a connection that would go on sending.
  for await (const chunk of body as AsyncIterable<Buffer>) {
    const room = responseBytesMax - bytes;
    if (chunk.length > room) {
      chunks.push(chunk.subarray(0, room));
      return { body: Buffer.concat(chunks), truncated: true };
    }
    chunks.push(chunk);
    bytes += chunk.length;
  }
  return { body: Buffer.concat(chunks), truncated: false };
}
