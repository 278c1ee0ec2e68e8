import { connect } from 'node:net';
import { Registry } from 'prom-client';
import { readConfig } from '../../src/config.js';
import { createHttp, type HttpOptions } from '../../src/http/http.js';
import { LinkSigner } from '../../src/http/signed-link.js';
import { systemClock } from '../../src/lib/clock.js';
import { createLogger } from '../../src/lib/logger.js';
import type { AcceptOutcome, IncomingCall } from '../../src/webhooks/accept-outcome.js';

/** The HTTP side of a process on a port of its own. */
export interface TestHttp {
  readonly url: string;
  readonly port: number;
  close(deadlineMs?: number): Promise<void>;
}

/** Opens a server with harmless options, in plain HTTP on the loopback; `options` replaces what a test is about. */
export async function openHttp(options: Partial<HttpOptions> = {}): Promise<TestHttp> {
  const http = createHttp({
    trustedProxies: [],
    allowInsecureLoopback: true,
    bodyBytesMax: 1024,
    links: new LinkSigner(Buffer.alloc(32, 1), systemClock),
    authenticate: () => Promise.resolve(undefined),
    description: readConfig({}),
    operations: { readiness: () => Promise.resolve([]), registry: new Registry() },
    clock: systemClock,
    log: createLogger('silent'),
    ...options,
  });
  const { port } = await http.listen(0, '127.0.0.1');
  return { url: `http://127.0.0.1:${port}`, port, close: (deadlineMs = 1_000) => http.close(deadlineMs) };
}

/** An accept that keeps what it was given and answers one outcome. */
export function recordingAccept(outcome: AcceptOutcome): {
  readonly calls: IncomingCall[];
  readonly acceptCall: (incoming: IncomingCall) => Promise<AcceptOutcome>;
} {
  const calls: IncomingCall[] = [];
  return {
    calls,
    acceptCall: (incoming) => {
      calls.push(incoming);
      return Promise.resolve(outcome);
    },
  };
}

/** What came back over a raw connection until the server closed it. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** Everything, also what came after the first answer. */
  readonly text: string;
}

/** Writes bytes to the server as they are and reads until it closes the connection. */
export function exchange(port: number, ...chunks: readonly (string | Buffer)[]): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const received: Buffer[] = [];
    socket.on('data', (chunk) => received.push(chunk));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') reject(error);
    });
    socket.on('close', () => resolve(parseAnswer(Buffer.concat(received).toString('latin1'))));
    for (const chunk of chunks) socket.write(chunk);
  });
}

function parseAnswer(text: string): RawAnswer {
  const end = text.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = text.slice(0, Math.max(end, 0)).split('\r\n');
  const headers = new Map(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const length = Number(headers.get('content-length') ?? 0);
  return {
    status: Number(statusLine.split(' ')[1] ?? 0),
    headers,
    body: text.slice(end + 4, end + 4 + length),
    text,
  };
}
