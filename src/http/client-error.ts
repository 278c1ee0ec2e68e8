import { STATUS_CODES } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { codeOf, type ErrorCode } from '../errors.js';
import { newRandomUuid } from '../lib/ids.js';
import { problemAnswer } from './problem.js';

/**
 * A whole response as text, for a socket that has no response object: a request that could not be parsed has none.
 *
 * @param headers names and values in turn.
 */
export function rawProblem(
  code: ErrorCode,
  requestId: string = newRandomUuid(),
  headers: readonly string[] = [],
): string {
  const answer = problemAnswer({ code, requestId, headers });
  const lines = [`HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? ''}`];
  const all = [
    ...answer.headers,
    'Content-Length',
    String(Buffer.byteLength(answer.body)),
    'X-Request-Id',
    requestId,
    'X-Content-Type-Options',
    'nosniff',
    'Connection',
    'close',
  ];
  for (let i = 0; i + 1 < all.length; i += 2) lines.push(`${all[i]}: ${all[i + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n${answer.body.toString()}`;
}

/** Answers what Node's parser refused, or what took too long to arrive, and closes the connection. */
export function answerClientError(error: Error, socket: Duplex): void {
  refuseConnection(socket, clientErrorCode(codeOf(error)));
}

/** Sockets whose refusal waits for the answers before it; the parser reports each further chunk that comes. */
const waiting = new WeakSet<Duplex>();

/**
 * Refuses what has no response object and closes the connection. Requests that came whole before it on the same
 * connection get their answers first: an answer out of turn would be taken for that of a call that was accepted.
 */
export function refuseConnection(socket: Duplex, code: ErrorCode): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const response = responseInFlight(socket);
  if (response === undefined || !(response.req.complete || response.headersSent)) {
    // A sender that never closes its side would keep the socket for as long as it likes.
    socket.end(rawProblem(code), () => socket.destroy());
  } else if (!response.req.complete) {
    // A second answer after part of the first would be taken for its body; what was written goes out, no more.
    socket.end(() => socket.destroy());
  } else if (!waiting.has(socket)) {
    waiting.add(socket);
    response.once('finish', () => {
      waiting.delete(socket);
      if (socket.writable) refuseConnection(socket, code);
    });
  }
}

function clientErrorCode(code: string | undefined): ErrorCode {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'REQUEST_TIMEOUT';
  return code === 'HPE_HEADER_OVERFLOW' ? 'HEADERS_TOO_LARGE' : 'MALFORMED_REQUEST';
}

/**
 * The first response on this connection that is not finished. Node keeps it in this property, and its own default
 * handler asks it whether it may answer.
 */
function responseInFlight(socket: Duplex): ServerResponse | undefined {
  const { _httpMessage: response } = socket as Duplex & { readonly _httpMessage?: ServerResponse | null };
  return response ?? undefined;
}
