import pg from 'pg';
import { connectionOptions } from '../db/database.js';
import { backoffMs } from '../lib/backoff.js';
import type { Logger } from '../lib/logger.js';
import type { EventHub } from './event-hub.js';
import { CHANNEL, decodeEvents } from './wire.js';

export interface EventListenerOptions {
  readonly url: string;
  readonly hub: EventHub;
  readonly log: Logger;
}

/** How often the connection is asked whether it still lives; a half-open one is noticed within twice this. */
const PROBE_MS = 5_000;

const RECONNECT = { baseMs: 100, maxMs: 2_000 };

/**
 * The process's one LISTEN connection.
 *
 * CONNECTING → LISTENING (subscribers are told to resync) → connection lost or probe unanswered → CONNECTING …, until
 * CLOSED. While it is not listening, {@link EventListener.listening} is false and caches must not be trusted.
 */
export class EventListener {
  readonly #options: EventListenerOptions;
  #client: pg.Client | undefined;
  #probe: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #attempt = 0;
  #closed = false;
  #listening = false;

  constructor(options: EventListenerOptions) {
    this.#options = options;
    options.hub.deliveredBy(() => this.#catchUp());
  }

  /** Whether events reach this process right now. */
  get listening(): boolean {
    return this.#listening;
  }

  /** Connects and listens; rejects when the first connection fails. */
  async start(): Promise<void> {
    await this.#connect();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    clearInterval(this.#probe);
    this.#listening = false;
    await this.#client?.end();
  }

  /** Notifications come in the order of the commits: when our own is here, so are all before it. */
  async #catchUp(): Promise<void> {
    if (!this.#listening || this.#client === undefined) throw new Error('events are not listened to right now');
    await this.#client.query("select pg_notify($1, '[]')", [CHANNEL]);
  }

  async #connect(): Promise<void> {
    const { url, hub, log } = this.#options;
    const client = new pg.Client({ ...connectionOptions(url), query_timeout: PROBE_MS });
    client.on('error', (error) => this.#lost(client, error));
    client.on('end', () => this.#lost(client, undefined));
    client.on('notification', ({ payload }) => {
      for (const event of decodeEvents(payload ?? '')) hub.deliver(event);
    });
    this.#client = client;
    await client.connect();
    await client.query(`listen ${CHANNEL}`);
    this.#attempt = 0;
    this.#listening = true;
    this.#probe = setInterval(() => {
      client.query('select 1').catch((error: unknown) => this.#lost(client, error));
    }, PROBE_MS);
    log.debug('listening for events');
    hub.resync();
  }

  #lost(client: pg.Client, error: unknown): void {
    if (client !== this.#client || this.#closed) return;
    this.#client = undefined;
    this.#listening = false;
    clearInterval(this.#probe);
    this.#options.log.warn({ err: error }, 'the event connection was lost');
    client.end().catch(() => undefined); // it is gone either way
    this.#scheduleConnect();
  }

  #scheduleConnect(): void {
    this.#attempt += 1;
    this.#retry = setTimeout(
      () => {
        this.#connect().catch((error: unknown) => {
          const client = this.#client;
          if (client !== undefined) this.#lost(client, error);
        });
      },
      backoffMs(this.#attempt, RECONNECT),
    );
  }
}
