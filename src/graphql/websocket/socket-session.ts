import type { IncomingMessage } from 'node:http';
import { makeServer } from 'graphql-ws';
import type { RawData, WebSocket } from 'ws';
import type { Principal } from '../../access/principal.js';
import { CLOSE, type Closing, closingFor } from '../live/close-codes.js';
import { type LiveArgs, LiveOperations } from '../live/live-operations.js';
import type { LiveOptions } from '../live/live-options.js';
import type { KnownCaller } from '../live/live-sessions.js';
import type { RequestFacts } from '../request-facts.js';
import { closeSocket } from './close-socket.js';

export interface SessionOptions extends LiveOptions {
  readonly socket: WebSocket;
  readonly req: IncomingMessage;
  readonly facts: RequestFacts;
  /** Whether the principal may have this socket too. */
  readonly admits: (principal: Principal) => boolean;
}

/**
 * One WebSocket and what runs on it.
 *
 * OPEN (nobody is known) → ACKNOWLEDGED (a principal, operations) → CLOSED.
 */
export class SocketSession {
  readonly #options: SessionOptions;
  #caller: KnownCaller | undefined;
  readonly #gone = Promise.withResolvers<void>();
  #closed = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { socket, limits, log } = options;
    const operations = new LiveOperations({ ...options, requestId: options.facts.requestId });
    const server = makeServer<Record<string, unknown>>({
      connectionInitWaitTimeout: limits.initTimeoutMs,
      onConnect: async ({ connectionParams }) => await this.#connect(connectionParams),
      onSubscribe: (_ctx, _id, payload) => operations.prepare(payload, this.#caller?.principal),
      execute: (args) => operations.execute(args as LiveArgs),
      subscribe: (args) => operations.subscribe(args as LiveArgs),
      onError: (_ctx, _id, _payload, errors) => operations.present(errors),
      onNext: (_ctx, _id, _payload, _args, result) => operations.presentResult(result),
    });

    const stopPinging = keepAlive(socket, limits.pingMs);
    socket.on('error', (error) => log.debug({ err: error }, 'a WebSocket failed'));
    const closed = server.opened(
      {
        protocol: socket.protocol,
        send: async (data) => await this.#send(data),
        close: (code, reason) => this.#close(code, reason),
        onMessage: (handle) => socket.on('message', (data) => void this.#receive(handle, data)),
      },
      undefined,
    );
    socket.once('close', (code, reason) => {
      this.#closed = true;
      stopPinging();
      operations.close();
      this.#gone.resolve();
      closed(code, reason.toString()).catch((error: unknown) => log.warn({ err: error }, 'a WebSocket left something'));
    });
  }

  /** Who is at the other end, once that is known. */
  get caller(): KnownCaller | undefined {
    return this.#caller;
  }

  close({ code, reason }: Closing): void {
    this.#close(code, reason);
  }

  async #connect(params: Readonly<Record<string, unknown>> | undefined): Promise<boolean> {
    const { req, authenticator, admits, log } = this.#options;
    const given = params?.['authorization'] ?? params?.['Authorization'] ?? req.headers.authorization;
    const credentials = {
      authorization: given === undefined || typeof given === 'string' ? given : '', // anything else opens nothing
      cookie: req.headers.cookie,
    };
    if (credentials.authorization === undefined && credentials.cookie === undefined) {
      this.close(CLOSE.unauthorized);
      return false; // graphql-ws closes with its own code what is closed already
    }
    let principal: Principal | undefined;
    try {
      principal = await authenticator.authenticate(credentials);
    } catch (error) {
      log.warn({ err: error }, 'a WebSocket could not be authenticated');
      this.close(closingFor(error));
      return false;
    }
    if (this.#closed) return false;
    if (principal === undefined) {
      this.close(CLOSE.unauthorized);
      return false;
    }
    if (!admits(principal)) {
      this.close(CLOSE.tooManySockets);
      return false;
    }
    this.#caller = { principal, credentials };
    return true;
  }

  async #receive(handle: (data: string) => Promise<void>, data: RawData): Promise<void> {
    try {
      await handle((data as Buffer).toString('utf8'));
    } catch (error) {
      this.#options.log.error({ err: error, requestId: this.#options.facts.requestId }, 'a WebSocket message failed');
      this.close(closingFor(error));
    }
  }

  /**
   * Resolves when the kernel has taken the message: until then its operation is not asked for another. On a socket that
   * is closing the operation waits for its end: asked on and on, one that always has an answer would keep the process
   * from ever noticing that the socket has closed.
   */
  async #send(data: string): Promise<void> {
    const { socket, limits } = this.#options;
    if (socket.bufferedAmount > limits.bufferedBytesMax) this.close(CLOSE.tooSlow);
    if (socket.readyState !== socket.OPEN) return await this.#gone.promise;
    await new Promise<void>((resolve) => socket.send(data, () => resolve()));
  }

  #close(code = 1000, reason = ''): void {
    closeSocket(this.#options.socket, { code, reason }, this.#options.limits.closeMs);
  }
}

/** Pings until stopped, and cuts a connection that has not answered the ping before. */
function keepAlive(socket: WebSocket, pingMs: number): () => void {
  let answered = true;
  socket.on('pong', () => {
    answered = true;
  });
  const timer = setInterval(() => {
    if (!answered) {
      socket.terminate();
      return;
    }
    answered = false;
    socket.ping();
  }, pingMs);
  return () => clearInterval(timer);
}
