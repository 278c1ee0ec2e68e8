import type { GraphQLSchema } from 'graphql';
import type { Principal } from '../access/principal.js';
import type { GraphqlContext, GraphqlServices } from './context.js';
import { createExplorer } from './explorer.js';
import { foreignPageRefusal } from './foreign-page.js';
import { createHttpTransport, type GraphqlMiddleware } from './http-transport.js';
import { OPERATION_LIMITS, type OperationLimits } from './limits/operation-limits.js';
import { type Authenticates, LIVE_LIMITS, type LiveLimits } from './live/live-options.js';
import { LiveSessions } from './live/live-sessions.js';
import { createLoaders } from './loaders.js';
import { buildGraphqlSchema } from './schema.js';
import { createSseTransport } from './sse/sse-transport.js';
import { createWebSocketTransport, type Upgrade } from './websocket/websocket-transport.js';

export interface GraphqlOptions {
  readonly services: GraphqlServices;
  readonly authenticator: Authenticates;
  /** Whether the schema may be asked for, and messages may suggest what else there is. */
  readonly introspection: boolean;
  /** Then GraphiQL is only for who has signed in. */
  readonly production: boolean;
  readonly limits?: Partial<OperationLimits>;
  readonly live?: Partial<LiveLimits>;
}

/** GraphQL, to be mounted on an HTTP server. */
export interface Graphql {
  /** Answers GET and POST. */
  readonly middleware: GraphqlMiddleware;
  /** Takes over the connection of a WebSocket handshake. */
  readonly upgrade: Upgrade;
  /**
   * Closes WebSockets and streams and lets no more in; HTTP goes on. To be called before the HTTP server closes, which waits
   * for all its connections.
   */
  drain(): Promise<void>;
  close(): Promise<void>;
}

/** The admin API of a process. */
export function createGraphql(options: GraphqlOptions): Graphql {
  return mountGraphql(buildGraphqlSchema(), options);
}

/** The same with another schema. */
export function mountGraphql(schema: GraphQLSchema, options: GraphqlOptions): Graphql {
  const { services, authenticator, introspection, production } = options;
  const { hub, log, publicUrl } = services;
  const operations = { ...OPERATION_LIMITS, ...options.limits };
  const contextOf = (principal: Principal | undefined, requestId: string): GraphqlContext => ({
    services,
    principal,
    requestId,
    rules: { introspection, limits: operations },
    loaders: createLoaders(services, principal),
  });

  const http = createHttpTransport({
    schema,
    contextOf: async ({ requestId }, { authorization, cookie }) =>
      contextOf(await authenticator.authenticate({ authorization, cookie }), requestId),
    introspection,
    limits: operations,
    log,
  });
  const explorer = createExplorer({
    production,
    principalOf: async ({ cookie }) => await authenticator.authenticate({ cookie }),
  });
  const limits = { ...LIVE_LIMITS, ...options.live };
  const sessions = new LiveSessions({ authenticator, limits, hub, log });
  const live = { schema, authenticator, contextOf, introspection, operations, limits, sessions, publicUrl, log };
  const sse = createSseTransport(live);
  const refuseForeignPage = foreignPageRefusal({ publicUrl, log });
  return {
    middleware: async (ctx, next) => {
      if (refuseForeignPage(ctx) || (await explorer(ctx)) || (await sse(ctx))) return;
      await http.middleware(ctx, next);
    },
    upgrade: createWebSocketTransport(live),
    drain: async () => await sessions.close(),
    close: async () => {
      await sessions.close();
      await http.close();
    },
  };
}
