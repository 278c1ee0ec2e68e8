import type { GraphQLSchema } from 'graphql';
import type { Principal } from '../../access/principal.js';
import type { Logger } from '../../lib/logger.js';
import type { GraphqlContext } from '../context.js';
import type { OperationLimits } from '../limits/operation-limits.js';

/** Finds out who calls; the `Authenticator` is one. */
export interface Authenticates {
  authenticate(presented: {
    readonly authorization?: string | undefined;
    readonly cookie?: string | undefined;
  }): Promise<Principal | undefined>;
}

/** What sockets may take. A client that needs more opens another socket, as far as that is allowed. */
export interface SocketLimits {
  /** In this process. */
  readonly socketsMax: number;
  /** Of one user in this process, through whichever tokens and sessions. */
  readonly socketsPerUserMax: number;
  /** Operations under way on one socket, subscriptions and others. */
  readonly operationsPerSocketMax: number;
  /** Of one message that comes in. */
  readonly messageBytesMax: number;
  /**
   * What may wait to be read by the client. Each operation has one message at most on its way and events wait in the
   * hub, which bounds them; a client that still falls behind by this much is closed with 4410.
   */
  readonly bufferedBytesMax: number;
  /** For `connection_init` to come; then 4408. */
  readonly initTimeoutMs: number;
  /** Between pings. A socket that answers none until the next is dead. */
  readonly pingMs: number;
  /** How often each socket's credentials are looked at again; an event that ends them is heard at once. */
  readonly recheckMs: number;
  /** For a client to answer our closing; then the connection is cut. */
  readonly closeMs: number;
}

export const SOCKET_LIMITS: SocketLimits = {
  socketsMax: 5_000,
  socketsPerUserMax: 200,
  operationsPerSocketMax: 100,
  messageBytesMax: 1_048_576,
  bufferedBytesMax: 4_194_304,
  initTimeoutMs: 3_000,
  pingMs: 12_000,
  recheckMs: 2_000,
  closeMs: 1_000,
};

/** What every socket of a process works with. */
export interface SocketOptions {
  readonly schema: GraphQLSchema;
  readonly authenticator: Authenticates;
  /** A fresh context for one operation or one event. */
  readonly contextOf: (principal: Principal | undefined, requestId: string) => GraphqlContext;
  readonly introspection: boolean;
  readonly operations: OperationLimits;
  readonly limits: SocketLimits;
  readonly log: Logger;
}
