import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server that answers when the test says so: what a worker waits for. */
export interface Gate {
  readonly url: string;
  /** How often it was asked. */
  visits(): number;
  /** Resolves when somebody waits at it. */
  readonly reached: Promise<void>;
  /** Resolves when somebody who waited has hung up. */
  readonly left: Promise<void>;
  /** Answers everybody who waits. */
  open(text: string): void;
  close(): Promise<void>;
}

export async function openGate(): Promise<Gate> {
  const waiting: ServerResponse[] = [];
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
  const { promise: left, resolve: leave } = Promise.withResolvers<void>();
  const server = createServer((_, res) => {
    waiting.push(res);
    res.on('close', () => {
      if (!res.writableEnded) leave();
    });
    reach();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    visits: () => waiting.length,
    reached,
    left,
    open: (text) => waiting.forEach((res) => res.end(text)),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
