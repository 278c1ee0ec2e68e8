import { AsyncLocalStorage } from 'node:async_hooks';
import { ApolloServer, type ApolloServerPlugin } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import { koaMiddleware } from '@as-integrations/koa';
import { type GraphQLSchema, OperationTypeNode } from 'graphql';
import type Koa from 'koa';
import { AppError } from '../errors.js';
import type { Logger } from '../lib/logger.js';
import { answerOutage } from './answer-outage.js';
import type { GraphqlContext } from './context.js';
import { codedError, presentError } from './errors.js';
import type { OperationLimits } from './limits/operation-limits.js';
import { documentLimitsRule } from './limits/document-limits.js';
import { measureCost } from './limits/cost.js';
import { readJsonBody, statusOfBodyFault } from './read-json-body.js';
import type { RequestFacts } from './request-facts.js';

export type GraphqlMiddleware = Koa.Middleware<RequestFacts>;

export interface HttpTransportOptions {
  readonly schema: GraphQLSchema;
  /** Who calls and what resolvers work with; a failure is the caller's to answer. */
  readonly contextOf: (facts: RequestFacts, headers: Koa.Request['headers']) => Promise<GraphqlContext>;
  readonly introspection: boolean;
  readonly limits: OperationLimits;
  readonly log: Logger;
}

export interface HttpTransport {
  readonly middleware: GraphqlMiddleware;
  /** Waits for the operations in flight. */
  close(): Promise<void>;
}

/** GraphQL over HTTP: one operation a request, mutations by POST only, nothing that a foreign page can send. */
export function createHttpTransport(options: HttpTransportOptions): HttpTransport {
  const { schema, introspection, limits, log } = options;
  /** Errors outside an operation reach Apollo's `formatError` without a context; this carries the request's id. */
  const requestIds = new AsyncLocalStorage<string>();
  const present = (error: unknown): ReturnType<typeof presentError> =>
    presentError(error, { requestId: requestIds.getStore() ?? '', log, suggestions: introspection });

  const server = new ApolloServer<GraphqlContext>({
    schema,
    introspection,
    hideSchemaDetailsFromClientErrors: !introspection,
    csrfPrevention: true,
    allowBatchedHttpRequests: false,
    persistedQueries: false,
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    // Apollo's own defaults depend on this; only its behaviour in production is meant.
    nodeEnv: 'production',
    logger: log,
    parseOptions: { maxLexicalTokens: limits.tokensMax },
    validationRules: [documentLimitsRule(limits)],
    formatError: (_formatted, error) => present(error),
    plugins: [
      costPlugin(limits),
      unauthenticatedStatus,
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginInlineTraceDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
    ],
  });
  const started = server
    .start()
    .then(() =>
      koaMiddleware(server, { context: async ({ ctx }) => (ctx.state as { graphql: GraphqlContext }).graphql }),
    );
  started.catch((error: unknown) => log.error({ err: error }, 'GraphQL over HTTP could not start'));

  return {
    middleware: async (ctx) => {
      const run = await started;
      ctx.set('Cache-Control', 'no-store');
      const { requestId } = ctx.state;
      await requestIds.run(requestId, async () => {
        try {
          // Apollo takes a missing body for a fault of the server; an empty object is one of the caller's.
          if (ctx.method === 'POST') Object.assign(ctx.request, { body: (await readJsonBody(ctx.req)) ?? {} });
        } catch (error) {
          if (!(error instanceof AppError)) throw error;
          ctx.status = statusOfBodyFault(error);
          ctx.set('Connection', 'close'); // the rest of the body would be taken for the next request
          ctx.body = { errors: [present(error)] };
          return;
        }
        try {
          Object.assign(ctx.state, { graphql: await options.contextOf(ctx.state, ctx.headers) });
        } catch (error) {
          answerOutage(ctx, error, present);
          return;
        }
        await run(ctx, () => Promise.resolve());
      });
    },
    close: async () => {
      await started.catch(() => undefined);
      await server.stop();
    },
  };
}

/** Refuses subscriptions and what costs too much before any field runs, and says in `extensions.cost` what it cost. */
function costPlugin({ costMax }: OperationLimits): ApolloServerPlugin<GraphqlContext> {
  return {
    requestDidStart: () => {
      let cost: number | undefined;
      return Promise.resolve({
        didResolveOperation: ({ schema, document, request, operation }) => {
          if (operation?.operation === OperationTypeNode.SUBSCRIPTION) {
            throw codedError(
              'BAD_USER_INPUT',
              'Subscriptions need a WebSocket (subprotocol graphql-transport-ws) or Accept: text/event-stream.',
            );
          }
          cost = measureCost({ schema, document, ...request }, costMax);
          return Promise.resolve();
        },
        willSendResponse: ({ response: { body } }) => {
          if (body.kind === 'single' && cost !== undefined) {
            body.singleResult.extensions = {
              ...body.singleResult.extensions,
              cost: { requested: cost, maximum: costMax },
            };
          }
          return Promise.resolve();
        },
      });
    },
  };
}

/** 401 when nobody is known and nothing was answered, so that clients which only look at the status notice. */
const unauthenticatedStatus: ApolloServerPlugin<GraphqlContext> = {
  requestDidStart: () =>
    Promise.resolve({
      willSendResponse: ({ response }) => {
        const { body, http } = response;
        if (body.kind !== 'single') return Promise.resolve();
        const { data, errors = [] } = body.singleResult;
        const nothing = data === undefined || data === null || Object.values(data).every((value) => value === null);
        if (nothing && errors.some(({ extensions }) => extensions?.['code'] === 'UNAUTHENTICATED')) {
          http.status = 401;
          http.headers.set('www-authenticate', 'Bearer realm="workhook"');
        }
        return Promise.resolve();
      },
    }),
};
