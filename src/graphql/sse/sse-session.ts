import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ExecutionResult } from 'graphql';
import { createHandler, type Response } from 'graphql-sse';
import { type LiveArgs, LiveOperations, type OperationPayload } from '../live/live-operations.js';
import type { LiveOptions } from '../live/live-options.js';
import type { KnownCaller, LiveSession } from '../live/live-sessions.js';

export interface SseSessionOptions extends LiveOptions {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly requestId: string;
  readonly caller: KnownCaller;
}

/**
 * One operation over server-sent events, by the protocol of graphql-sse in its mode of distinct connections: one
 * response a subscription. graphql-sse asks a subscription for its next event only when the client has taken the one
 * before; a client that takes nothing for two pings is cut off.
 */
export class SseSession implements LiveSession {
  readonly caller: KnownCaller;
  readonly #options: SseSessionOptions;
  readonly #operations: LiveOperations;
  #closing = false;

  constructor(options: SseSessionOptions) {
    this.#options = options;
    this.caller = options.caller;
    this.#operations = new LiveOperations(options);
    options.res.once('close', () => this.#operations.close());
  }

  /** Answers with the results of the operation; resolves when the response has ended, however it did. */
  async run(payload: OperationPayload): Promise<void> {
    const { req, res, log, requestId } = this.#options;
    try {
      const handle = this.#handler(payload);
      const response = await handle({
        method: 'POST',
        url: req.url ?? '',
        headers: { get: headerOf },
        body: { ...payload },
        raw: req,
        context: undefined,
      });
      await this.#write(response);
    } catch (error) {
      log.error({ err: error, requestId }, 'a stream of events failed');
      res.destroy();
    } finally {
      this.#operations.close();
    }
  }

  /** Ends the response without the word that the operation is complete: the client connects again, or is refused then. */
  close(): void {
    const { res, limits } = this.#options;
    if (this.#closing) return;
    this.#closing = true;
    this.#operations.close();
    if (!res.headersSent) {
      res.destroy();
      return;
    }
    res.end();
    const cut = setTimeout(() => res.destroy(), limits.closeMs);
    res.once('close', () => clearTimeout(cut));
  }

  #handler(payload: OperationPayload): ReturnType<typeof createHandler<IncomingMessage>> {
    const operations = this.#operations;
    return createHandler<IncomingMessage>({
      authenticate: () => null, // no mode of a single connection
      validate: () => [], // the operation was validated when it was prepared
      onSubscribe: () => {
        const args = operations.prepare(payload, this.caller.principal);
        return 'document' in args ? (args as never) : { data: null, errors: args };
      },
      execute: (args) => operations.execute(args as unknown as LiveArgs),
      subscribe: (args) => operations.subscribe(args as unknown as LiveArgs),
      onNext: async (_context, _req, result) => {
        await this.#drained();
        return operations.presentResult(result as ExecutionResult) as ExecutionResult | undefined;
      },
    });
  }

  async #write([body, { status, headers }]: Response): Promise<void> {
    const { res } = this.#options;
    if (body === null || typeof body === 'string') {
      res.writeHead(status, { 'Content-Type': headers?.['content-type'] ?? 'text/plain' }).end(body ?? '');
      return;
    }
    res.on('error', () => undefined); // 'close' follows
    res.once('close', () => void body.return(undefined));
    res.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store, no-transform', // a proxy that compresses holds events back
      'X-Accel-Buffering': 'no',
    });
    for await (const text of body) {
      if (this.#closing || res.destroyed) break;
      res.write(text);
      await this.#drained();
    }
    if (!this.#closing && !res.destroyed) res.end();
  }

  /** Resolves when there is room for more, or nobody is there any more. */
  async #drained(): Promise<void> {
    const { res, limits } = this.#options;
    if (!res.writableNeedDrain || res.destroyed) return;
    await new Promise<void>((resolve) => {
      const stuck = setTimeout(() => res.destroy(), 2 * limits.pingMs);
      const goOn = (): void => {
        clearTimeout(stuck);
        res.off('drain', goOn);
        res.off('close', goOn);
        resolve();
      };
      res.once('drain', goOn);
      res.once('close', goOn);
    });
  }
}

/** What graphql-sse looks at; both were checked before. */
function headerOf(name: string): string | undefined {
  if (name === 'accept') return 'text/event-stream';
  return name === 'content-type' ? 'application/json' : undefined;
}
