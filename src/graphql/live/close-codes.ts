import { isDatabaseAway } from '../../db/database-away.js';

/**
 * Why the server closes a live connection: a WebSocket with the code, a stream of server-sent events by cutting it off.
 * WebSockets are also closed for what graphql-ws closes for by itself (4400 to 4429,
 * https://github.com/graphql/graphql-over-http/blob/main/rfcs/GraphQLOverWebSocket.md). graphql-ws's client connects
 * again after each of these but `unauthorized` and `internal`.
 */
export const CLOSE = {
  /** The process stops; another one, or this one soon, takes over (RFC 6455, 7.4.1). */
  goingAway: { code: 1001, reason: 'Going away' },
  /** No credentials were presented, or none that open anything. */
  unauthorized: { code: 4401, reason: 'Unauthorized' },
  /** The credentials open nothing any more, or another role now. */
  forbidden: { code: 4403, reason: 'Forbidden' },
  /** A browser opened it for a page of another origin. */
  foreignOrigin: { code: 4403, reason: 'Foreign origin' },
  /** It does not read what it asked for. */
  tooSlow: { code: 4410, reason: 'Too slow' },
  /** The principal has as many sockets as it may. */
  tooManySockets: { code: 4430, reason: 'Too many connections' },
  /** The database is away (RFC 6455's registry, 1013). */
  tryAgainLater: { code: 1013, reason: 'Try again later' },
  internal: { code: 4500, reason: 'Internal server error' },
} as const;

/** How a connection is closed over something that went wrong. */
export function closingFor(error: unknown): Closing {
  return isDatabaseAway(error) ? CLOSE.tryAgainLater : CLOSE.internal;
}

export type Closing = (typeof CLOSE)[keyof typeof CLOSE];
