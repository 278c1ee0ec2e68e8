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
  if (!socket.writable || hasAnswerUnderWay(socket)) {
    socket.destroy();
    return;
  }
  // A sender that never closes its side would keep the socket for as long as it likes.
  socket.end(rawProblem(clientErrorCode(codeOf(error))), () => socket.destroy());
}

function clientErrorCode(code: string | undefined): ErrorCode {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'REQUEST_TIMEOUT';
  return code === 'HPE_HEADER_OVERFLOW' ? 'HEADERS_TOO_LARGE' : 'MALFORMED_REQUEST';
}

/**
 * Whether part of another answer stands on this connection already; a second one after it would be taken for its
 * body. Node keeps the response in flight in this property, and its own default handler asks it the same.
 */
function hasAnswerUnderWay(socket: Duplex): boolean {
  const { _httpMessage: response } = socket as Duplex & { readonly _httpMessage?: ServerResponse | null };
  return response?.headersSent ?? false;
}
