/**
 * Why the server closes a live connection: a WebSocket with the code, a stream of server-sent events by cutting it off.
 * WebSockets are also closed for what graphql-ws closes for by itself (4400 to 4429,
 * https://github.com/graphql/graphql-over-http/blob/main/rfcs/GraphQLOverWebSocket.md). graphql-ws's client connects
 * again after each of these but `unauthorized` and `internal`.
 */
export const CLOSE = {
  /** The process stops; another one, or this one soon, takes over (RFC 6455, 7.4.1). */
  goingAway: { code: 1001, reason: 'Going away' },
  /** No credentials were presented. */
  unauthorized: { code: 4401, reason: 'Unauthorized' },
  /** The credentials open nothing, or no longer, or another role now. */
  forbidden: { code: 4403, reason: 'Forbidden' },
  /** A browser opened it for a page of another origin. */
  foreignOrigin: { code: 4403, reason: 'Foreign origin' },
  /** It does not read what it asked for. */
  tooSlow: { code: 4410, reason: 'Too slow' },
  /** The principal has as many sockets as it may. */
  tooManySockets: { code: 4430, reason: 'Too many connections' },
  internal: { code: 4500, reason: 'Internal server error' },
} as const;

export type Closing = (typeof CLOSE)[keyof typeof CLOSE];
