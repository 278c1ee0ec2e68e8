import type { IncomingMessage, ServerResponse } from 'node:http';

/** A response, complete before a byte of it is sent. */
export interface HttpAnswer {
  readonly status: number;
  /** Names and values in turn: the form that Node writes without building an object first. */
  readonly headers: readonly string[];
  readonly body: string | Buffer;
}

/** A caller that is still sending a body that was refused may do so for this long, and this much. */
const LINGER = { timeMs: 1_000, bytesMax: 1_048_576 };

/** Sends an answer by `node:http` alone. A caller that went away is no error. */
export function sendAnswer(res: ServerResponse, answer: HttpAnswer, requestId: string): void {
  if (res.headersSent || res.destroyed) return;
  writeHead(res, answer, requestId);
  res.end(answer.body);
}

/**
 * Answers before the body has arrived and closes the connection. The answer goes out whole at once; then what still
 * comes is thrown away for a moment, because closing a socket with unread data resets it, and the reset would
 * overtake the answer.
 */
export function refuseUpload(req: IncomingMessage, res: ServerResponse, answer: HttpAnswer, requestId: string): void {
  if (res.headersSent || res.destroyed) return;
  res.shouldKeepAlive = false;
  writeHead(res, answer, requestId);
  if (req.complete) {
    res.end(answer.body);
    return;
  }
  res.write(answer.body);
  let bytesLeft = LINGER.bytesMax;
  const finish = (): void => {
    clearTimeout(timer);
    req.off('data', count);
    res.end();
  };
  const count = (chunk: Buffer): void => {
    bytesLeft -= chunk.length;
    if (bytesLeft <= 0) finish();
  };
  const timer = setTimeout(finish, LINGER.timeMs);
  req.on('data', count);
  req.once('end', finish);
  req.once('close', finish);
  req.once('error', () => undefined); // 'close' follows
  req.resume();
}

function writeHead(res: ServerResponse, answer: HttpAnswer, requestId: string): void {
  res.writeHead(answer.status, [
    ...answer.headers,
    ...(answer.status === 204 ? [] : ['Content-Length', String(Buffer.byteLength(answer.body))]), // RFC 9110, 8.6
    'X-Request-Id',
    requestId,
    'X-Content-Type-Options',
    'nosniff',
  ]);
}
