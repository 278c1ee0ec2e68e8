import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';

export interface ReceivedRequest {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** An HTTP server on loopback: somebody else's system. */
export interface Endpoint {
  readonly origin: string;
  readonly port: number;
  /** What came since the last `reset`. */
  readonly received: readonly ReceivedRequest[];
  /** TCP connections that were opened to it, ever. */
  readonly connections: number;
  /** How it answers from now on; `200` and `{"ok":true}` at first. */
  answer: (response: ServerResponse, request: ReceivedRequest) => void;
  /** Forgets what came and answers as at first. */
  reset(): void;
  close(): Promise<void>;
}

/** Answers with a status, JSON and headers. */
export const json =
  (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  (response: ServerResponse): void => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };

export async function openEndpoint(host = '127.0.0.1'): Promise<Endpoint> {
  const received: ReceivedRequest[] = [];
  const state = { answer: json(200, { ok: true }) as Endpoint['answer'], connections: 0 };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method, url, headers } = request;
      const whole = { method, url, headers, body: Buffer.concat(chunks).toString() };
      received.push(whole);
      state.answer(response, whole);
    });
  });
  server.on('connection', () => (state.connections += 1));
  server.listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    origin: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    port: address.port,
    received,
    get connections() {
      return state.connections;
    },
    get answer() {
      return state.answer;
    },
    set answer(answer) {
      state.answer = answer;
    },
    reset() {
      received.length = 0;
      state.answer = json(200, { ok: true });
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
