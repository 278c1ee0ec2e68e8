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

/** What live connections may take: WebSockets and streams of server-sent events, counted together. */
export interface LiveLimits {
  /** In this process. */
  readonly connectionsMax: number;
  /** Of one user in this process, through whichever tokens and sessions. */
  readonly connectionsPerUserMax: number;
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
  /** Between pings. A socket that answers none until the next is dead; so is a stream that takes nothing for so long. */
  readonly pingMs: number;
  /** How often each connection's credentials are looked at again; an event that ends them is heard at once. */
  readonly recheckMs: number;
  /** For a client to answer our closing; then the connection is cut. */
  readonly closeMs: number;
}

export const LIVE_LIMITS: LiveLimits = {
  connectionsMax: 5_000,
  connectionsPerUserMax: 200,
  operationsPerSocketMax: 100,
  messageBytesMax: 1_048_576,
  bufferedBytesMax: 4_194_304,
  initTimeoutMs: 3_000,
  pingMs: 12_000,
  recheckMs: 2_000,
  closeMs: 1_000,
};

/** What every live connection of a process works with. */
export interface LiveOptions {
  readonly schema: GraphQLSchema;
  readonly authenticator: Authenticates;
  /** A fresh context for one operation or one event. */
  readonly contextOf: (principal: Principal | undefined, requestId: string) => GraphqlContext;
  readonly introspection: boolean;
  readonly operations: OperationLimits;
  readonly limits: LiveLimits;
  readonly log: Logger;
}
