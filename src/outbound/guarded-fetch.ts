import { type Dispatcher, fetch as undiciFetch, type RequestInit as UndiciRequestInit, Response } from 'undici';
import { AppError } from '../errors.js';
import { refused } from './guarded-connector.js';
import { parseOutboundUrl } from './outbound-url.js';

/** The function that libraries take in place of the global one. */
export type Fetch = typeof globalThis.fetch;

export interface GuardedFetchOptions {
  /** What dials an origin. */
  readonly dispatcherFor: (url: URL) => Dispatcher;
  /** Bytes of a response's body, decompressed; one more and reading it fails. No limit by default. */
  readonly responseBytesMax?: number | undefined;
  /** Hears of every refusal. */
  readonly onRefused: (url: string) => void;
}

/**
 * A WHATWG `fetch` for libraries that bring their own protocol (MCP, model providers): bodies stream both ways, the
 * signal aborts, and what cannot be reached is a `TypeError`. It differs in what makes it safe: only http and https
 * without user name and password, and a redirect is never followed (it is a response, or an error where
 * `redirect: 'error'` asks for one). It has no time limit but the signal's.
 *
 * A refusal is an AppError OUTBOUND_REFUSED and no `TypeError`, which libraries would take for a reason to try again.
 */
export function guardedFetch(options: GuardedFetchOptions): Fetch {
  const { dispatcherFor, responseBytesMax, onRefused } = options;
  const send = async (input: string | URL | Request, given?: RequestInit): Promise<Response> => {
    const { target, init } = fetchParts(input, given);
    const url = parseOutboundUrl(target);
    try {
      if (url === undefined) throw refused();
      const response = await undiciFetch(url, {
        ...(init as UndiciRequestInit),
        redirect: init.redirect === 'error' ? 'error' : 'manual',
        dispatcher: dispatcherFor(url),
      });
      return responseBytesMax === undefined ? response : capped(response, responseBytesMax);
    } catch (error) {
      const refusal = refusalIn(error);
      if (refusal === undefined) throw error;
      onRefused(target);
      throw refusal;
    }
  };
  // The two types of response differ in details of their streams' types only.
  return send as unknown as Fetch;
}

/** A request that was given as a URL and its settings, or as both in one. */
export interface FetchParts {
  readonly target: string;
  readonly init: RequestInit;
}

/**
 * Takes a Request apart. The package's `fetch` knows the global Request and FormData as strangers, and would send their
 * names; every other kind of body is the same for both.
 */
export function fetchParts(input: string | URL | Request, init: RequestInit = {}): FetchParts {
  const given = typeof input === 'string' ? input : 'href' in input ? input.href : undefined;
  if (given !== undefined && !(init.body instanceof FormData)) return { target: given, init };
  const { url, method, headers, body, signal, redirect } = new Request(input, init);
  const parts = { method, headers: [...headers] as [string, string][], body, signal, redirect };
  return { target: url, init: { ...parts, ...(body !== null && { duplex: 'half' }) } };
}

function refusalIn(error: unknown): AppError | undefined {
  const thrown = error instanceof TypeError ? error.cause : error;
  return thrown instanceof AppError && thrown.code === 'OUTBOUND_REFUSED' ? thrown : undefined;
}

function capped(response: Response, bytesMax: number): Response {
  if (response.body === null) return response;
  const { body, status, statusText, headers } = response;
  return new Response(upTo(bytesMax, body), { status, statusText, headers });
}

/** Whoever stops reading ends the loop, and with it the connection. */
async function* upTo(bytesMax: number, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) {
      throw new AppError('OUTBOUND_RESPONSE_TOO_LARGE', `The response has more than ${bytesMax} bytes.`);
    }
    yield chunk;
  }
}
