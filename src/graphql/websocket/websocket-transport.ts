import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { handleProtocols } from 'graphql-ws';
import { WebSocketServer } from 'ws';
import type { Principal } from '../../access/principal.js';
import { type Notification, topics } from '../../events/event.js';
import type { EventHub } from '../../events/event-hub.js';
import type { RequestFacts } from '../request-facts.js';
import { CLOSE } from './close-codes.js';
import { isOwnOrigin } from './origin.js';
import type { SocketOptions } from './socket-options.js';
import { SocketSession } from './socket-session.js';

export type Upgrade = (req: IncomingMessage, socket: Duplex, head: Buffer, facts: RequestFacts) => void;

export interface WebSocketTransportOptions extends SocketOptions {
  readonly hub: EventHub;
  readonly publicUrl: () => string;
}

export interface WebSocketTransport {
  readonly upgrade: Upgrade;
  /** How many sockets are open. */
  readonly sockets: number;
  /** Refuses new sockets and closes those that are open; resolves when none is left. */
  close(): Promise<void>;
}

/** GraphQL over WebSocket, by the protocol `graphql-transport-ws`. */
export function createWebSocketTransport(options: WebSocketTransportOptions): WebSocketTransport {
  const { limits, hub, publicUrl } = options;
  const sessions = new Set<SocketSession>();
  const webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false, // compressing beside secrets helps to guess them, and costs memory a socket
    maxPayload: limits.messageBytesMax,
    handleProtocols,
  });
  let closed: Promise<void> | undefined;
  const noneLeft = Promise.withResolvers<void>();

  const recheckAll = (): void => {
    for (const session of sessions) void session.recheck();
  };
  const recheck = setInterval(recheckAll, limits.recheckMs);
  const stopListening = hub.listen([topics.credentials], (notification) => {
    for (const session of sessions) {
      if (endedBy(notification, session.principal)) session.close(CLOSE.forbidden);
    }
    if (notification.kind === 'resync') recheckAll();
  });

  const admit = ({ userId }: Principal): boolean => {
    let own = 0;
    for (const session of sessions) if (session.principal?.userId === userId) own += 1;
    return own < limits.socketsPerUserMax;
  };

  const closeAll = async (): Promise<void> => {
    clearInterval(recheck);
    stopListening();
    if (sessions.size === 0) return;
    for (const session of sessions) session.close(CLOSE.goingAway);
    await noneLeft.promise;
  };

  return {
    get sockets() {
      return sessions.size;
    },
    upgrade: (req, socket, head, facts) => {
      if (!isOwnOrigin(req.headers.origin, facts, publicUrl())) return refuse(socket, 403);
      if (closed !== undefined || sessions.size >= limits.socketsMax) return refuse(socket, 503);
      webSockets.handleUpgrade(req, socket, head, (webSocket) => {
        const session = new SocketSession({ ...options, socket: webSocket, req, facts, admit });
        sessions.add(session);
        webSocket.once('close', () => {
          sessions.delete(session);
          if (closed !== undefined && sessions.size === 0) noneLeft.resolve();
        });
      });
    },
    close: async () => {
      closed ??= closeAll();
      await closed;
    },
  };
}

/** Whoever got another role connects again, and is known by it then. */
function endedBy(notification: Notification, principal: Principal | undefined): boolean {
  if (principal === undefined) return false;
  if (notification.kind === 'credential-ended') return principal.credential.id === notification.credentialId;
  return notification.kind === 'user-changed' && principal.userId === notification.userId;
}

/** Answers a handshake before it is one. */
function refuse(socket: Duplex, status: 403 | 503): void {
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
