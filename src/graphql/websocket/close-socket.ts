import type { WebSocket } from 'ws';

export interface Goodbye {
  readonly code: number;
  readonly reason: string;
}

/** Says goodbye, and cuts the connection when the other end has not answered that within `closeMs` milliseconds. */
export function closeSocket(socket: WebSocket, { code, reason }: Goodbye, closeMs: number): void {
  if (socket.readyState !== socket.OPEN) return;
  socket.close(code, reason);
  const cut = setTimeout(() => socket.terminate(), closeMs);
  socket.once('close', () => clearTimeout(cut));
}
