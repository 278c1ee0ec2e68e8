import type { IncomingMessage } from 'node:http';
import {
  execute,
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLError,
  type GraphQLFormattedError,
} from 'graphql';
import { makeServer, type SubscribePayload } from 'graphql-ws';
import type { RawData, WebSocket } from 'ws';
import type { Principal } from '../../access/principal.js';
import type { GraphqlContext } from '../context.js';
import { codedError, presentError } from '../errors.js';
import { prepareOperation } from '../limits/prepare-operation.js';
import type { RequestFacts } from '../request-facts.js';
import { CLOSE, type Closing } from './close-codes.js';
import { type Results, subscribeLive } from './live-results.js';
import type { SocketOptions } from './socket-options.js';

export interface SessionOptions extends SocketOptions {
  readonly socket: WebSocket;
  readonly req: IncomingMessage;
  readonly facts: RequestFacts;
  /** Whether the principal may have this socket too. */
  readonly admit: (principal: Principal) => boolean;
}

interface Credentials {
  readonly authorization: string | undefined;
  readonly cookie: string | undefined;
}

/**
 * One WebSocket and what runs on it.
 *
 * OPEN (nobody is known) → ACKNOWLEDGED (a principal, operations) → CLOSED. When it closes, every iterator that it
 * started is ended, whether graphql-ws still knows of it or not.
 */
export class SocketSession {
  readonly #options: SessionOptions;
  readonly #subscriptions = new Set<Results>();
  #credentials: Credentials | undefined;
  #principal: Principal | undefined;
  readonly #gone = Promise.withResolvers<void>();
  #running = 0;
  #closed = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { socket, limits, log } = options;
    const server = makeServer<Record<string, unknown>>({
      connectionInitWaitTimeout: limits.initTimeoutMs,
      onConnect: async ({ connectionParams }) => await this.#connect(connectionParams),
      onSubscribe: (_ctx, _id, payload) => this.#prepare(payload),
      execute: (args) => this.#execute(args as LiveArgs),
      subscribe: (args) => this.#subscribe(args as LiveArgs),
      onError: (_ctx, _id, _payload, errors) => this.#present(errors),
      onNext: (_ctx, _id, _payload, _args, { errors, data = null, extensions }) =>
        errors === undefined
          ? undefined
          : { data, errors: this.#present(errors), ...(extensions !== undefined && { extensions }) },
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
      for (const results of this.#subscriptions) this.#end(results);
      this.#gone.resolve();
      closed(code, reason.toString()).catch((error: unknown) => log.warn({ err: error }, 'a WebSocket left something'));
    });
  }

  /** Who is at the other end, once that is known. */
  get principal(): Principal | undefined {
    return this.#principal;
  }

  close({ code, reason }: Closing): void {
    this.#close(code, reason);
  }

  /** Looks again whether the credentials open this socket, and closes it when they don't, or not for the same role. */
  async recheck(): Promise<void> {
    const before = this.#principal;
    if (before === undefined || this.#credentials === undefined || this.#closed) return;
    try {
      const now = await this.#options.authenticator.authenticate(this.#credentials);
      if (now === undefined || !isSame(before, now)) this.close(CLOSE.forbidden);
    } catch (error) {
      // Without the database nobody can say; nor can anything be read through this socket.
      this.#options.log.debug({ err: error }, 'the credentials of a WebSocket could not be looked at again');
    }
  }

  async #connect(params: Readonly<Record<string, unknown>> | undefined): Promise<boolean> {
    const { req, authenticator, admit, log } = this.#options;
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
      this.close(CLOSE.internal);
      return false;
    }
    if (principal === undefined || this.#closed) return false;
    if (!admit(principal)) {
      this.close(CLOSE.tooManySockets);
      return false;
    }
    this.#credentials = credentials;
    this.#principal = principal;
    return true;
  }

  #prepare(payload: SubscribePayload): LiveArgs | readonly GraphQLError[] {
    const { schema, introspection, operations, limits, contextOf, facts } = this.#options;
    if (this.#running >= limits.operationsPerSocketMax) {
      const message = `A connection runs ${limits.operationsPerSocketMax} operations at a time.`;
      return [codedError('COST_LIMIT_EXCEEDED', message)];
    }
    const prepared = prepareOperation(payload, { schema, introspection, limits: operations });
    if (!prepared.ok) return prepared.errors;
    this.#running += 1;
    return {
      schema,
      document: prepared.document,
      operationName: payload.operationName ?? null,
      variableValues: payload.variables ?? null,
      contextValue: contextOf(this.#principal, facts.requestId),
      cost: prepared.cost,
    };
  }

  async #execute(args: LiveArgs): Promise<ExecutionResult> {
    try {
      const cost = { requested: args.cost, maximum: this.#options.operations.costMax };
      return { ...(await execute(args)), extensions: { cost } };
    } finally {
      this.#running -= 1;
    }
  }

  async #subscribe(args: LiveArgs): Promise<Results | ExecutionResult> {
    let live = false;
    try {
      const fresh = ({ principal, requestId }: GraphqlContext): GraphqlContext =>
        this.#options.contextOf(principal, requestId);
      const results = await subscribeLive(args, fresh, (ended) => {
        if (this.#subscriptions.delete(ended)) this.#running -= 1;
      });
      if (!('next' in results)) return results;
      live = true;
      this.#subscriptions.add(results);
      if (this.#closed) this.#end(results); // the socket closed while the stream was being opened
      return results;
    } finally {
      if (!live) this.#running -= 1;
    }
  }

  #end(results: Results): void {
    results
      .return()
      .catch((error: unknown) => this.#options.log.warn({ err: error }, 'a subscription did not end well'));
  }

  #present(errors: readonly GraphQLError[]): GraphQLFormattedError[] {
    const { facts, log, introspection } = this.#options;
    return errors.map((error) => presentError(error, { requestId: facts.requestId, log, suggestions: introspection }));
  }

  async #receive(handle: (data: string) => Promise<void>, data: RawData): Promise<void> {
    try {
      await handle((data as Buffer).toString('utf8'));
    } catch (error) {
      this.#options.log.error({ err: error, requestId: this.#options.facts.requestId }, 'a WebSocket message failed');
      this.close(CLOSE.internal);
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
    const { socket, limits } = this.#options;
    if (socket.readyState !== socket.OPEN) return;
    socket.close(code, reason);
    const cut = setTimeout(() => socket.terminate(), limits.closeMs);
    socket.once('close', () => clearTimeout(cut));
  }
}

type LiveArgs = ExecutionArgs & { readonly contextValue: GraphqlContext; readonly cost: number };

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

function isSame(before: Principal, now: Principal): boolean {
  return (
    before.userId === now.userId &&
    before.role === now.role &&
    before.scopes.length === now.scopes.length &&
    before.scopes.every((scope) => now.scopes.includes(scope))
  );
}
