import { setTimeout as delay } from 'node:timers/promises';
import type { AdminClient } from './admin.js';

export interface HeldConnectionOptions {
  readonly client: AdminClient;
  readonly connect: () => Promise<AdminClient>;
  readonly serverLives: () => boolean;
  /** The server ended without {@link HeldConnection.close}. */
  readonly onGone: () => void;
}

const RECONNECT_MS = 100;

/**
 * The connection by which a gateway shows that it uses a server, for as long as it does.
 *
 * States: held → broken → held … while the server lives (it breaks all connections when one of its processes crashes);
 * broken → gone when the server has ended; any → closed by {@link close}.
 */
export class HeldConnection {
  readonly #options: HeldConnectionOptions;
  #client: AdminClient | undefined;
  #closed = false;

  constructor(options: HeldConnectionOptions) {
    this.#options = options;
    this.#hold(options.client);
  }

  /** Resolves once the server no longer lists the connection. */
  async close(): Promise<void> {
    this.#closed = true;
    const client = this.#client;
    this.#client = undefined;
    client?.ref();
    await client?.end().catch(() => undefined);
  }

  #hold(client: AdminClient): void {
    this.#client = client;
    client.unref(); // it is not what keeps the process running
    client.once('end', () => {
      this.#client = undefined;
      void this.#regain();
    });
  }

  async #regain(): Promise<void> {
    while (!this.#closed) {
      if (!this.#options.serverLives()) {
        this.#options.onGone();
        return;
      }
      const client = await this.#options.connect().catch(() => undefined);
      if (client !== undefined) {
        this.#hold(client);
        if (this.#closed) await this.close();
        return;
      }
      await delay(RECONNECT_MS, undefined, { ref: false });
    }
  }
}
