import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContextOptions } from 'node:tls';
import { AppError, codeOf, messageOf } from '../errors.js';
import { answerClientError, rawProblem, refuseConnection } from './client-error.js';
import { pathOf, PATHS } from './paths.js';
import type { TlsMaterial } from './tls-files.js';

/** All in milliseconds. */
export interface HttpTimeouts {
  /** For a request's headers to arrive. */
  readonly headersMs: number;
  /** For the whole request to arrive; a sync call's wait does not count. */
  readonly requestMs: number;
  /** How often the two above are checked: a slow request ends at most this much later. */
  readonly checkMs: number;
  /** How long an idle connection is kept. Longer than common load balancers' 60 s: who closes first should be they. */
  readonly keepAliveMs: number;
}

const TIMEOUTS: HttpTimeouts = { headersMs: 5_000, requestMs: 10_000, checkMs: 1_000, keepAliveMs: 65_000 };

const HEADER_BYTES_MAX = 16_384;

/** How often connections that have become idle are closed while the server drains. */
const DRAIN_POLL_MS = 25;

export type UpgradeHandler = (req: IncomingMessage, socket: Duplex, head: Buffer) => void;

export interface HttpServerOptions {
  readonly handle: RequestListener;
  /**
   * Asks a caller for its body that waits to be asked (`Expect: 100-continue`), or leaves that to the handler.
   *
   * @returns false when it answered instead: the body that is announced is too large.
   */
  readonly askForBody: (req: IncomingMessage, res: ServerResponse) => boolean;
  /** Takes WebSocket handshakes on /graphql. Without it, and on other paths, they are ordinary requests. */
  readonly upgrade?: UpgradeHandler | undefined;
  readonly timeouts?: Partial<HttpTimeouts>;
  /** With it the server speaks HTTPS, and asks for client certificates where it knows their authority. */
  readonly tls?: TlsMaterial | undefined;
}

export interface HttpServer {
  /** @throws AppError STARTUP_FAILED with one line when the address can't be had. */
  listen(port: number, host: string): Promise<AddressInfo>;
  /**
   * Stops listening, lets the requests in flight finish, and after the deadline cuts what is left.
   *
   * @param deadlineMs milliseconds from now.
   */
  close(deadlineMs: number): Promise<void>;
  /** Another certificate for the handshakes from now on; nothing for a server in plain HTTP. @throws when it is none. */
  renewTls(material: TlsMaterial): void;
}

/** Builds the process's one HTTP server. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const timeouts = { ...TIMEOUTS, ...options.timeouts };
  const upgraded = new Set<Duplex>();
  const shaken = new WeakSet<Duplex>(); // connections whose TLS handshake is done
  const raw = new Set<Socket>(); // those below TLS: the server does not know them before the handshake is done
  let draining = false;

  const serverOptions = {
    insecureHTTPParser: false,
    requireHostHeader: false, // checked with the rest of it, for an answer in our own form
    maxHeaderSize: HEADER_BYTES_MAX,
    headersTimeout: timeouts.headersMs,
    requestTimeout: timeouts.requestMs,
    connectionsCheckingInterval: timeouts.checkMs,
    keepAliveTimeout: timeouts.keepAliveMs,
    // Clients offer `Upgrade: h2c` with any request (Java's does by default): those go on in HTTP/1.1.
    shouldUpgradeCallback: (req: IncomingMessage) => options.upgrade !== undefined && isWebSocketHandshake(req),
  };
  const server =
    options.tls === undefined ? createServer(serverOptions) : tlsServer(serverOptions, options.tls, timeouts.headersMs);
  // Node drops the headers beyond this count without a word; the size limit bounds them already.
  server.maxHeadersCount = 0;

  const handle = (req: IncomingMessage, res: ServerResponse): void => {
    // What comes in one piece with a declined upgrade, and after it, Node's parser throws away: a request that is
    // pipelined would wait for ever, and one that is torn in two would be read from its middle.
    if (draining || req.headers.upgrade !== undefined) res.shouldKeepAlive = false;
    options.handle(req, res);
  };
  server.on('request', handle);
  server.on('checkContinue', (req, res) => {
    if (options.askForBody(req, res)) handle(req, res);
  });
  // An expectation that nobody knows may be ignored (RFC 9110, 10.1.1); Node would answer 417 in its own form.
  server.on('checkExpectation', handle);
  server.on('clientError', (error: Error, socket: Duplex) => {
    // Who did not get through the handshake can be told nothing: they would not take it for an answer.
    if ('encrypted' in socket && !shaken.has(socket)) socket.destroy();
    else answerClientError(error, socket);
  });
  if (options.tls !== undefined) {
    server.on('connection', (socket: Socket) => {
      raw.add(socket);
      socket.once('close', () => raw.delete(socket));
    });
    server.on('secureConnection', (socket: Duplex) => shaken.add(socket));
  }
  // CONNECT asks for a tunnel; without a listener Node closes the connection and says nothing.
  server.on('connect', (_req, socket) => refuseConnection(socket, 'MALFORMED_REQUEST'));
  server.on('upgrade', (req, socket, head) => {
    socket.on('error', () => socket.destroy());
    if (options.upgrade === undefined || !isWebSocketHandshake(req)) {
      socket.end(rawProblem('NOT_FOUND')); // a Node without shouldUpgradeCallback brings every upgrade here
      return;
    }
    upgraded.add(socket);
    socket.once('close', () => upgraded.delete(socket));
    options.upgrade(req, socket, head);
  });

  return {
    listen: (port, host) => listen(server, port, host),
    renewTls: (material) => {
      // What is not in here falls back to Node's defaults; tickets of before do not resume, so no old authority counts.
      if (server instanceof TlsServer) server.setSecureContext(secureContextOf(material));
    },
    close: async (deadlineMs) => {
      draining = true;
      if (!server.listening) return;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const drain = setInterval(() => server.closeIdleConnections(), DRAIN_POLL_MS);
      const cut = setTimeout(() => {
        server.closeAllConnections();
        for (const socket of [...upgraded, ...raw]) socket.destroy();
      }, deadlineMs);
      await closed;
      clearInterval(drain);
      clearTimeout(cut);
    },
  };
}

/**
 * A server that speaks HTTPS. A client certificate is asked for and not demanded: most webhooks do without, and those
 * that want one look at it themselves.
 */
function tlsServer(options: ServerOptions, material: TlsMaterial, handshakeTimeoutMs: number): Server {
  return createTlsServer({
    ...options,
    ...secureContextOf(material),
    ...(material.ca !== undefined && { requestCert: true, rejectUnauthorized: false }),
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: handshakeTimeoutMs,
  });
}

function secureContextOf({ cert, key, ca }: TlsMaterial): SecureContextOptions {
  return { cert, key, ...(ca !== undefined && { ca }), minVersion: 'TLSv1.2' };
}

/** The connection's head as an upgrade handler may refuse it: nothing has been answered yet. */
export function refuseUpgrade(socket: Duplex, ...problem: Parameters<typeof rawProblem>): void {
  socket.end(rawProblem(...problem));
}

function isWebSocketHandshake(req: IncomingMessage): boolean {
  return req.headers.upgrade?.toLowerCase() === 'websocket' && pathOf(req.url ?? '') === PATHS.graphql;
}

function listen(server: Server, port: number, host: string): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => reject(startupError(error, port, host));
    server.once('error', fail);
    server.listen({ port, host }, () => {
      server.off('error', fail);
      resolve(server.address() as AddressInfo);
    });
  });
}

function startupError(error: unknown, port: number, host: string): AppError {
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: `Port ${port} on ${host} is in use. Stop what listens there, or set PORT to another one.`,
    EACCES: `Port ${port} may not be used by this user. Set PORT to one above 1023.`,
    EADDRNOTAVAIL: `${host} is not an address of this machine. Set HOST to one.`,
    ENOTFOUND: `The host name ${host} is not known. Set HOST to an address of this machine.`,
  };
  const reason = reasons[codeOf(error) ?? ''] ?? `Can't listen on ${host}:${port}: ${messageOf(error)}`;
  return new AppError('STARTUP_FAILED', reason, { cause: error });
}
