import { Agent, type Dispatcher } from 'undici';
import { AppError, codeOf } from '../errors.js';
import { AddressPolicy } from './address-policy.js';
import { guardedConnector, refused, type Resolve, systemResolve } from './guarded-connector.js';

export interface OutboundClientOptions {
  /** CIDRs that may be reached although they are not global. */
  readonly allowedCidrs: readonly string[];
  /** How names become addresses; by default the system's way. */
  readonly resolve?: Resolve;
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
 * The one way out of the process: HTTP workers, and whatever else calls addresses that users name. It dials only
 * what {@link AddressPolicy} allows, follows no redirect, knows no proxy of the environment, and caps time and size.
 */
export class OutboundClient {
  readonly #agent: Agent;

  constructor(options: OutboundClientOptions) {
    const connect = guardedConnector({
      policy: new AddressPolicy(options.allowedCidrs),
      resolve: options.resolve ?? systemResolve,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
    });
    // The time limits are the request's own signal; undici's would only shorten a worker's timeout.
    this.#agent = new Agent({ connect, headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 4_000 });
  }

  /**
   * Sends one request. Any status is a response; redirects are responses too.
   *
   * @throws AppError OUTBOUND_REFUSED, not retryable, when the address must not be reached;
   *   HTTP_WORKER_UNREACHABLE, retryable, when it could not be; the signal's reason when it aborted.
   */
  async request(request: OutboundRequest): Promise<OutboundResponse> {
    const url = parseOutboundUrl(request.url);
    if (url === undefined) throw refused();
    const timeout = AbortSignal.timeout(request.timeoutMs);
    try {
      const response = await this.#agent.request({
        origin: url.origin,
        path: url.pathname + url.search,
        method: request.method,
        headers: request.headers,
        body: request.body ?? null,
        signal: AbortSignal.any([request.signal, timeout]),
      });
      return {
        status: response.statusCode,
        headers: definedHeaders(response),
        ...(await readCapped(response, request)),
      };
    } catch (error) {
      if (error instanceof AppError) throw error;
      request.signal.throwIfAborted();
      throw unreachable(timeout.aborted ? 'no answer in time' : (codeOf(error) ?? 'the connection failed'), error);
    }
  }

  /** Ends every connection; requests under way fail. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

/** Reads a URL that outbound requests may have; `undefined` when it is not one. The address is checked when dialled. */
export function parseOutboundUrl(text: string): URL | undefined {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return undefined;
  return url.username === '' && url.password === '' ? url : undefined;
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
