import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { handleProtocols } from 'graphql-ws';
import { WebSocketServer } from 'ws';
import { CLOSE } from '../live/close-codes.js';
import type { LiveOptions } from '../live/live-options.js';
import type { LiveSessions } from '../live/live-sessions.js';
import { isOwnOrigin } from '../origin.js';
import type { RequestFacts } from '../request-facts.js';
import { closeSocket } from './close-socket.js';
import { SocketSession } from './socket-session.js';

export type Upgrade = (req: IncomingMessage, socket: Duplex, head: Buffer, facts: RequestFacts) => void;

export interface WebSocketTransportOptions extends LiveOptions {
  readonly sessions: LiveSessions;
  readonly publicUrl: () => string;
}

/** GraphQL over WebSocket, by the protocol `graphql-transport-ws`. */
export function createWebSocketTransport(options: WebSocketTransportOptions): Upgrade {
  const { limits, sessions, publicUrl, log } = options;
  const webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false, // compressing beside secrets helps to guess them, and costs memory a socket
    maxPayload: limits.messageBytesMax,
    handleProtocols,
  });
  return (req, socket, head, facts) => {
    if (sessions.isFull) return refuseHandshake(socket, 503);
    webSockets.handleUpgrade(req, socket, head, (webSocket) => {
      if (!isOwnOrigin(req.headers.origin, facts, publicUrl())) {
        webSocket.on('error', (error) => log.debug({ err: error }, 'a WebSocket failed'));
        return closeSocket(webSocket, CLOSE.foreignOrigin, limits.closeMs);
      }
      const admits = sessions.admits.bind(sessions);
      const session = new SocketSession({ ...options, socket: webSocket, req, facts, admits });
      sessions.add(session);
      webSocket.once('close', () => sessions.remove(session));
    });
  };
}

/** Answers a handshake before it is one. */
function refuseHandshake(socket: Duplex, status: 503): void {
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
