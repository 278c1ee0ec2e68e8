import { LRUCache } from 'lru-cache';
import type { Sql } from '../db/database.js';
import { topics } from '../events/event.js';
import type { EventHub } from '../events/event-hub.js';
import { lowerCased } from '../outbound/outbound-headers.js';
import type { Keyring } from '../secrets/seal.js';
import type { ConnectionAuthenticationKind } from './connection.entity.js';
import { type ConnectionSecrets, openConnection } from './connection-secrets.js';

/** A connection as requests need it. Credentials are in plain text here: it never leaves the process. */
export interface OpenConnection {
  readonly baseUrl: string;
  /** Set on every request, the credential among them. Names are in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Set in the query of every request. */
  readonly query: Readonly<Record<string, string>>;
}

export interface ConnectionCacheOptions {
  readonly sql: Sql;
  readonly hub: EventHub;
  readonly keyring: Keyring;
  /** Whether events arrive now. While they don't, nothing is taken from the cache. */
  readonly listening: () => boolean;
}

const ENTRIES_MAX = 1_000;

/** Even with events, an entry is read again after this long. */
const TTL_MS = 60_000;

/** Opened connections. `connection-changed` drops one in every process, so a new credential needs no restart. */
export class ConnectionCache {
  readonly #options: ConnectionCacheOptions;
  readonly #entries = new LRUCache<string, Promise<OpenConnection | undefined>>({ max: ENTRIES_MAX, ttl: TTL_MS });
  readonly #stop: () => void;

  constructor(options: ConnectionCacheOptions) {
    this.#options = options;
    this.#stop = options.hub.listen([topics.connections], (notification) => {
      if (notification.kind === 'connection-changed') this.#entries.delete(notification.connectionId);
      else this.#entries.clear();
    });
  }

  /** @param id a UUID. */
  get(id: string): Promise<OpenConnection | undefined> {
    const known = this.#options.listening() ? this.#entries.get(id) : undefined;
    if (known !== undefined) return known;
    const reading = this.#read(id);
    this.#entries.set(id, reading);
    reading.catch(() => {
      if (this.#entries.peek(id) === reading) this.#entries.delete(id); // a failed read is no answer to keep
    });
    return reading;
  }

  close(): void {
    this.#stop();
    this.#entries.clear();
  }

  async #read(id: string): Promise<OpenConnection | undefined> {
    const { sql, keyring } = this.#options;
    const { rows } = await sql.query<ConnectionRow>({ name: 'read-connection', text: READ, values: [id] });
    const row = rows[0];
    return row && opened(row, openConnection(keyring, id, row.version, row.sealed));
  }
}

interface ConnectionRow {
  readonly base_url: string;
  readonly auth_kind: ConnectionAuthenticationKind;
  readonly auth_name: string | null;
  readonly sealed: Buffer;
  readonly version: number;
}

const READ = 'select base_url, auth_kind, auth_name, sealed, version from connections where id = $1';

function opened(row: ConnectionRow, { secret, headers }: ConnectionSecrets): OpenConnection {
  const name = row.auth_name ?? '';
  const credential = credentialHeaders(row.auth_kind, name, secret);
  return {
    baseUrl: row.base_url,
    headers: { ...lowerCased(headers), ...lowerCased(credential) },
    query: row.auth_kind === 'QUERY' ? { [name]: secret } : {},
  };
}

function credentialHeaders(kind: ConnectionAuthenticationKind, name: string, secret: string): Record<string, string> {
  switch (kind) {
    case 'BEARER':
      return { authorization: `Bearer ${secret}` };
    case 'BASIC':
      return { authorization: `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}` };
    case 'HEADER':
      return { [name]: secret };
    case 'NONE':
    case 'QUERY':
      return {};
  }
}
