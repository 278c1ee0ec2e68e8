import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Sql } from '../db/database.js';
import type { EventHub } from '../events/event-hub.js';
import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import { declaredLength, UploadRoom } from '../lib/read-body.js';
import type { AcceptOutcome, IncomingCall } from '../webhooks/accept-outcome.js';
import type { BodyLimit } from '../webhooks/rules/body-limit.js';
import { koaHandler } from './app.js';
import { refuseUpload, sendAnswer } from './answer.js';
import { ingressHandler } from './ingress.js';
import { EVENT_STREAM_TIMES, type EventStreamTimes } from './event-stream.js';
import { HttpMetrics } from './metrics.js';
import type { DocumentFacts } from './openapi/form.js';
import { transportRule } from './middleware/require-https.js';
import { pathOf, PATHS, webhookIdIn } from './paths.js';
import { problemAnswer } from './problem.js';
import { normalizeTarget, isWellFormed } from './request-form.js';
import { requestFactsReader, type RequestFacts } from './request-facts.js';
import type { OperationsOptions } from './routes/operations.js';
import type { SignInOptions } from './routes/sign-in.js';
import type { CertificateHeaders } from './client-certificate.js';
import { createHttpServer, refuseUpgrade, type HttpServer, type HttpTimeouts } from './server.js';
import type { Authenticate, ResultAccessOptions } from './result-access.js';
import { ResultWaiters } from './result-waiters.js';
import type { LinkSigner } from './signed-link.js';
import type { HttpMiddleware } from './state.js';
import type { TlsMaterial } from './tls-files.js';

export interface HttpOptions {
  /** Addresses and CIDRs whose `X-Forwarded-*` headers are believed. */
  readonly trustedProxies: readonly string[];
  /** In which of their headers a verified client certificate is believed. */
  readonly certificateHeaders?: CertificateHeaders | undefined;
  /** With it the server speaks HTTPS itself. */
  readonly tls?: TlsMaterial | undefined;
  /** Plain HTTP from this machine; for development. */
  readonly allowInsecureLoopback: boolean;
  readonly bodyBytesMax: number;
  readonly timeouts?: Partial<HttpTimeouts>;
  readonly links: LinkSigner;
  readonly authenticate: Authenticate;
  readonly operations: OperationsOptions;
  /** What the description of the API says of this installation. */
  readonly description: DocumentFacts;
  /** The role `ingress`: POST /api/v1/webhooks/{id}. */
  readonly ingress?: IngressRouteOptions | undefined;
  /** The result routes. */
  readonly results?: ResultRoutesOptions | undefined;
  /** The role `admin`: GraphQL and signing in. */
  readonly admin?: AdminOptions | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface IngressRouteOptions {
  readonly acceptCall: (incoming: IncomingCall) => Promise<AcceptOutcome>;
  /** Webhooks' own limits; without it all have `bodyBytesMax`. */
  readonly bodyLimit?: BodyLimit | undefined;
}

export interface ResultRoutesOptions extends Pick<ResultAccessOptions, 'verifyWebhookCredential'> {
  readonly sql: Sql;
  readonly hub: EventHub;
  /** The time before which rows may be gone, Unix milliseconds; 0 when everything is kept. */
  readonly retentionHorizonMs: () => number;
  /** The longest that `Prefer: wait=N` makes a request wait, in milliseconds. */
  readonly preferWaitMsMax: number;
  /** Long-polls and streams at once. */
  readonly waitersMax: number;
  readonly streamTimes?: Partial<EventStreamTimes>;
}

export interface AdminOptions {
  /** Answers GET and POST /graphql; finds the {@link RequestFacts} in `ctx.state`. */
  readonly graphql: HttpMiddleware;
  /** What an operation may have, in bytes; larger ones are refused by the declared length. */
  readonly operationBytesMax: number;
  /** Takes over the socket of a WebSocket handshake on /graphql. Transport and Host are checked, Origin is not. */
  readonly upgrade: (req: IncomingMessage, socket: Duplex, head: Buffer, facts: RequestFacts) => void;
  readonly signIn: Omit<SignInOptions, 'authenticate'>;
}

/** What large bodies that are on their way may hold together, in bytes. */
const UPLOAD_BYTES_MAX = 256 * 1_048_576;

/** Puts the HTTP side of a process together; nothing listens before `listen`. */
export function createHttp(options: HttpOptions): HttpServer {
  const { links, authenticate, clock, log, bodyBytesMax, admin, results } = options;
  const readFacts = requestFactsReader(options.trustedProxies, options.certificateHeaders);
  const isAllowed = transportRule(options.allowInsecureLoopback);
  const metrics = new HttpMetrics(options.operations.registry);
  const live = results && { ...results, waiters: new ResultWaiters(results) };
  const koa = koaHandler({
    operations: options.operations,
    description: options.description,
    results: live && {
      ...live,
      streamTimes: { ...EVENT_STREAM_TIMES, ...live.streamTimes },
      links,
      authenticate,
      log,
    },
    signIn: admin === undefined ? undefined : { ...admin.signIn, authenticate },
    graphql: admin?.graphql,
    isAllowed,
    metrics,
    clock,
    log,
  });
  // Callers that wait to be asked for their body by the route.
  const unasked = new WeakSet<IncomingMessage>();
  const ingress =
    options.ingress === undefined
      ? undefined
      : ingressHandler({
          acceptCall: options.ingress.acceptCall,
          signLink: (path) => links.sign(path),
          meter: metrics.meter('/api/v1/webhooks/:id'),
          bodyLimit: options.ingress.bodyLimit ?? (() => bodyBytesMax),
          uploadRoom: new UploadRoom(UPLOAD_BYTES_MAX),
          bodyBytesMax,
          waitsToBeAsked: (req) => unasked.has(req),
          letSend: (req, res) => {
            if (unasked.delete(req)) res.writeContinue();
          },
          isAllowed,
          clock,
          log,
        });

  const handle = (req: IncomingMessage, res: ServerResponse): void => {
    const facts = readFacts(req);
    if (!normalizeTarget(req) || !isWellFormed(req)) {
      refuseUpload(req, res, problemAnswer({ code: 'MALFORMED_REQUEST', requestId: facts.requestId }), facts.requestId);
      return;
    }
    const webhookId = ingress === undefined ? undefined : webhookIdIn(req.url!);
    // The ingress does without Koa: 32 µs of CPU a request here, 37 µs with Koa's context only, 44 µs as a Koa route
    // (docs/adr/0007).
    if (ingress !== undefined && webhookId !== undefined) ingress(req, res, webhookId, facts);
    else koa(req, res, facts);
  };

  const server = createHttpServer({
    handle,
    askForBody: (req, res) => {
      if (ingress !== undefined && normalizeTarget(req) && webhookIdIn(req.url!) !== undefined) {
        unasked.add(req); // a webhook's own limit is asked for first
        return true;
      }
      // An operation has a limit of its own, and is refused in GraphQL's form: what is too large is never asked for.
      const isOperation = admin !== undefined && pathOf(req.url ?? '') === PATHS.graphql;
      const declared = declaredLength(req) ?? 0;
      if (isOperation && declared > admin.operationBytesMax) return true;
      if (isOperation || declared <= bodyBytesMax) {
        res.writeContinue();
        return true;
      }
      const { requestId } = readFacts(req);
      res.shouldKeepAlive = false;
      sendAnswer(res, problemAnswer({ code: 'PAYLOAD_TOO_LARGE', requestId }), requestId);
      return false;
    },
    ...(admin !== undefined && {
      upgrade: (req: IncomingMessage, socket: Duplex, head: Buffer): void => {
        const facts = readFacts(req);
        if (!isWellFormed(req)) refuseUpgrade(socket, 'MALFORMED_REQUEST', facts.requestId);
        else if (!isAllowed(facts)) refuseUpgrade(socket, 'HTTPS_REQUIRED', facts.requestId);
        else admin.upgrade(req, socket, head, facts);
      },
    }),
    tls: options.tls,
    ...(options.timeouts !== undefined && { timeouts: options.timeouts }),
  });
  return {
    ...server,
    close: (deadlineMs) => {
      live?.waiters.release();
      return server.close(deadlineMs);
    },
  };
}
