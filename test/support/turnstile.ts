import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server that gated workers wait at, each under a name of its own (the path), and that lets them go one by one. */
export interface Turnstile {
  /** Ends with a slash. */
  readonly url: string;
  /** Who came, in the order of coming; whoever comes again is there again. */
  visitors(): readonly string[];
  /** The most that were inside at once. */
  insideMax(): number;
  /** Resolves when so many are inside. */
  untilInside(n: number): Promise<void>;
  /** Resolves when so many have come in all. */
  untilVisits(n: number): Promise<void>;
  /** Lets the one go that has been inside for the longest. */
  letOneGo(): void;
  /** Lets everybody go, also those who are yet to come. */
  open(): void;
  close(): Promise<void>;
}

export async function openTurnstile(): Promise<Turnstile> {
  const inside = new Set<ServerResponse>();
  const visitors: string[] = [];
  let insideMax = 0;
  let isOpen = false;
  let changed = Promise.withResolvers<void>();
  const tell = (): void => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const letGo = (res: ServerResponse): void => {
    inside.delete(res);
    res.end('go');
  };
  const server = createServer((req, res) => {
    visitors.push(req.url!.slice(1));
    inside.add(res);
    insideMax = Math.max(insideMax, inside.size);
    res.once('close', () => {
      inside.delete(res); // a process that died is not inside any more
      tell();
    });
    if (isOpen) letGo(res);
    tell();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const until = async (reached: () => boolean): Promise<void> => {
    while (!reached()) await changed.promise;
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    visitors: () => visitors,
    insideMax: () => insideMax,
    untilInside: (n) => until(() => inside.size >= n),
    untilVisits: (n) => until(() => visitors.length >= n),
    letOneGo: () => {
      const [oldest] = inside;
      if (oldest !== undefined) letGo(oldest);
    },
    open: () => {
      isOpen = true;
      for (const res of inside) letGo(res);
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
