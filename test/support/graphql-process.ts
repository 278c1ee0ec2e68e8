import type { GraphQLSchema } from 'graphql';
import { type Client, createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { UserRole } from '../../src/access/access.entities.js';
import { Authenticator } from '../../src/access/authenticate.js';
import { hashCredential, hintOf, newApiTokenText } from '../../src/access/credential-text.js';
import type { Permission } from '../../src/access/permissions.js';
import { type Database, openDatabase, type Sql } from '../../src/db/database.js';
import { ENTITIES } from '../../src/entities.js';
import { EventHub } from '../../src/events/event-hub.js';
import { EventListener } from '../../src/events/event-listener.js';
import { type GraphqlOptions, mountGraphql } from '../../src/graphql/create-graphql.js';
import { buildGraphqlSchema } from '../../src/graphql/schema.js';
import { systemClock } from '../../src/lib/clock.js';
import { newUuidV7 } from '../../src/lib/ids.js';
import { createLogger } from '../../src/lib/logger.js';
import { OutboundClient } from '../../src/outbound/outbound-client.js';
import { Keyring } from '../../src/secrets/seal.js';
import { SignatureDesk } from '../../src/webhooks/diagnose/diagnose-signature.js';
import { openHttp } from './http.js';

export interface GraphqlAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly GraphqlFault[];
  readonly extensions?: Record<string, unknown>;
}

export interface GraphqlFault {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions: { readonly code: string; readonly requestId: string };
}

export interface GraphqlProcessOptions extends Partial<
  Pick<GraphqlOptions, 'introspection' | 'production' | 'limits' | 'live'>
> {
  readonly databaseUrl: string;
  /** Another schema than the gateway's. */
  readonly schema?: GraphQLSchema;
  /** As if no event ever came. */
  readonly deaf?: boolean;
}

/** A process with the role `admin`: its own connections, its own event hub, its own port. */
export interface GraphqlProcess {
  readonly database: Database;
  readonly hub: EventHub;
  readonly url: string;
  readonly socketUrl: string;
  /** POSTs an operation. */
  post(
    query: string,
    options?: { token?: string; variables?: object; headers?: Record<string, string> },
  ): Promise<GraphqlAnswer>;
  /** A client of graphql-ws's own, closed with the process. Never connects again by itself. */
  client(token?: string): Client;
  /** Closes the WebSockets and lets no more in. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

const schema = buildGraphqlSchema();

export async function openGraphqlProcess(options: GraphqlProcessOptions): Promise<GraphqlProcess> {
  const log = createLogger('silent');
  const database = await openDatabase({ url: options.databaseUrl, entities: ENTITIES, poolSize: 6, log });
  const hub = new EventHub();
  const listener = new EventListener({ url: options.databaseUrl, hub, log });
  if (options.deaf !== true) await listener.start();
  const authenticator = new Authenticator({
    sql: database.pool,
    hub,
    clock: systemClock,
    log,
    listening: () => listener.listening,
  });
  const keyring = new Keyring([{ id: 'test', key: Buffer.alloc(32, 7) }]);
  let publicUrl = '';
  const graphql = mountGraphql(options.schema ?? schema, {
    services: {
      database,
      hub,
      keyring,
      clock: systemClock,
      log,
      publicUrl: () => publicUrl,
      outbound: new OutboundClient({ allowedCidrs: [] }),
      sendTestCall: () => Promise.reject(new Error('there is no ingress here')),
      responseOfCall: () => undefined,
      signatures: new SignatureDesk({ sql: database.pool, keyring, clock: systemClock, publicUrl: () => publicUrl }),
      byHand: {
        pool: database.pool,
        validateInput: () => Promise.resolve([]),
        limiter: { take: () => ({ allowed: true }) },
        findRepeat: () => Promise.resolve(undefined),
        clock: systemClock,
        retentionDays: 0,
      },
      replay: {
        pool: database.pool,
        webhooks: { newest: () => Promise.resolve(undefined) },
        validateInput: () => Promise.resolve([]),
        clock: systemClock,
        retentionDays: 0,
      },
      rateLimitDefaults: { globalPerMinute: 0, userPerMinute: 0, webhookPerMinute: 0 },
      mcpServers: new Set(),
      bodyBytesCeiling: 26_214_400,
      version: '0.0.0-test',
    },
    authenticator,
    introspection: options.introspection ?? false,
    production: options.production ?? true,
    ...(options.limits !== undefined && { limits: options.limits }),
    ...(options.live !== undefined && { live: options.live }),
  });
  const http = await openHttp({
    admin: {
      graphql: graphql.middleware,
      operationBytesMax: 1_048_576,
      upgrade: graphql.upgrade,
      signIn: {
        exchangeLoginToken: () => Promise.resolve(undefined),
        endSession: () => Promise.resolve(),
        homePath: '/graphql',
      },
    },
  });
  publicUrl = http.url;
  const url = `${http.url}/graphql`;
  const socketUrl = url.replace('http:', 'ws:');
  const clients: Client[] = [];
  return {
    database,
    hub,
    url,
    socketUrl,
    post: async (query, { token, variables, headers } = {}) => {
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          'Content-Type': 'application/json',
          ...(token !== undefined && { Authorization: `Bearer ${token}` }),
          ...headers,
        },
        body: JSON.stringify({ query, variables }),
      });
      return await readAnswer(response);
    },
    client: (token) => {
      const client = createClient({
        url: socketUrl,
        webSocketImpl: WebSocket,
        retryAttempts: 0,
        ...(token !== undefined && { connectionParams: { authorization: `Bearer ${token}` } }),
      });
      clients.push(client);
      return client;
    },
    drain: () => graphql.drain(),
    close: async () => {
      for (const client of clients) await client.dispose();
      await graphql.close();
      await http.close();
      await authenticator.close();
      hub.close();
      await listener.close();
      await database.close();
    },
  };
}

export async function readAnswer(response: Response): Promise<GraphqlAnswer> {
  const body = (await response.json()) as Omit<GraphqlAnswer, 'status' | 'headers'>;
  return { ...body, status: response.status, headers: response.headers };
}

/** A new user with a role and an API token. */
export async function addToken(
  sql: Sql,
  role: UserRole,
  scopes: readonly Permission[] = [],
): Promise<{ readonly token: string; readonly tokenId: string; readonly userId: string }> {
  const [userId, tokenId] = [newUuidV7(), newUuidV7()];
  const token = newApiTokenText(tokenId);
  await sql.query('insert into users (id, name, role) values ($1, $2, $2)', [userId, role]);
  await sql.query(
    'insert into api_tokens (id, user_id, name, token_hash, hint, scopes) values ($1, $2, $3, $4, $5, $6)',
    [tokenId, userId, 'test', hashCredential(token), hintOf(token), scopes],
  );
  return { token, tokenId, userId };
}

/** A raw WebSocket that speaks the protocol by hand. */
export interface RawSocket {
  readonly socket: WebSocket;
  readonly opened: Promise<void>;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  send(message: object): void;
  /** The next message that came. */
  next(): Promise<{ readonly type: string; readonly id?: string; readonly payload?: unknown }>;
}

export function openSocket(
  url: string,
  options: { headers?: Record<string, string>; protocol?: string; autoPong?: boolean } = {},
): RawSocket {
  const socket = new WebSocket(url, options.protocol ?? 'graphql-transport-ws', {
    headers: options.headers,
    autoPong: options.autoPong ?? true,
  });
  const opened = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  const messages: Awaited<ReturnType<RawSocket['next']>>[] = [];
  let wake: (() => void) | undefined;
  socket.on('open', () => opened.resolve());
  socket.on('error', (error) => opened.reject(error));
  socket.on('close', (code, reason) => closed.resolve({ code, reason: reason.toString() }));
  socket.on('message', (data) => {
    messages.push(JSON.parse((data as Buffer).toString('utf8')) as (typeof messages)[number]);
    wake?.();
  });
  opened.promise.catch(() => undefined); // a test that expects the refusal awaits it
  return {
    socket,
    opened: opened.promise,
    closed: closed.promise,
    send: (message) => socket.send(JSON.stringify(message)),
    next: async () => {
      while (messages.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return messages.shift()!;
    },
  };
}

/** Opens a socket and has its credentials acknowledged. */
export async function openKnownSocket(url: string, token: string): Promise<RawSocket> {
  const raw = openSocket(url);
  await raw.opened;
  raw.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
  await raw.next();
  return raw;
}
