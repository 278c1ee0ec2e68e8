import type { IncomingMessage, ServerResponse } from 'node:http';
import { Router } from '@koa/router';
import Koa from 'koa';
import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import type { DocumentFacts } from './openapi/form.js';
import type { HttpMetrics } from './metrics.js';
import { observe } from './middleware/observe.js';
import { problems } from './middleware/problems.js';
import { requireHttps, type TransportRule } from './middleware/require-https.js';
import { securityHeaders } from './middleware/security-headers.js';
import { PATHS } from './paths.js';
import type { RequestFacts } from './request-facts.js';
import { openapiRoute } from './routes/openapi.js';
import { operationsRoutes, type OperationsOptions } from './routes/operations.js';
import { resultsRoutes, type ResultsOptions } from './routes/results.js';
import { signInRoutes, type SignInOptions } from './routes/sign-in.js';
import type { HttpMiddleware, HttpState } from './state.js';

export interface KoaAppOptions {
  readonly operations: OperationsOptions;
  readonly description: DocumentFacts;
  readonly results: ResultsOptions | undefined;
  readonly signIn: SignInOptions | undefined;
  /** Takes GET and POST /graphql. */
  readonly graphql: HttpMiddleware | undefined;
  readonly isAllowed: TransportRule;
  readonly metrics: HttpMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Hands a request to Koa with the facts that were read from it. */
export type KoaHandler = (req: IncomingMessage, res: ServerResponse, facts: RequestFacts) => void;

/** Everything but the ingress. What is left out of the options is not there: 404. */
export function koaHandler(options: KoaAppOptions): KoaHandler {
  const { log } = options;
  const router = new Router<HttpState>({ exclusive: true });
  operationsRoutes(router, options.operations);
  openapiRoute(router, options.description);
  if (options.results !== undefined) resultsRoutes(router, options.results);
  if (options.signIn !== undefined) signInRoutes(router, options.signIn);
  if (options.graphql !== undefined) {
    router.get(PATHS.graphql, options.graphql);
    router.post(PATHS.graphql, options.graphql);
  }

  const facts = new WeakMap<IncomingMessage, RequestFacts>();
  const app = new Koa<HttpState>();
  // What a route throws has become an answer before it gets here; this is a socket that broke while it was sent.
  app.on('error', (error: unknown) => log.debug({ err: error }, 'a response could not be sent'));
  app.use(async (ctx, next) => {
    Object.assign(ctx.state, facts.get(ctx.req));
    ctx.set('X-Request-Id', ctx.state.requestId);
    await next();
  });
  app.use(observe(options.metrics, options.clock));
  app.use(securityHeaders);
  app.use(problems(log));
  app.use(requireHttps(options.isAllowed));
  app.use(router.routes());
  app.use(router.allowedMethods());

  const handle = app.callback();
  return (req, res, requestFacts) => {
    facts.set(req, requestFacts);
    void handle(req, res); // it never rejects: Koa answers what is thrown in it
  };
}
