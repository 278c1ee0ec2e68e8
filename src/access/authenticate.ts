import { LRUCache } from 'lru-cache';
import type { Sql } from '../db/database.js';
import { topics } from '../events/event.js';
import type { EventHub } from '../events/event-hub.js';
import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import type { UserRole } from './access.entities.js';
import { claimsToBeOurs, hashCredential, readApiTokenText } from './credential-text.js';
import { CredentialUsage } from './credential-usage.js';
import type { Credential, Principal } from './principal.js';
import { sessionTokenIn } from './session-cookie.js';

export interface AuthenticatorOptions {
  readonly sql: Sql;
  readonly hub: EventHub;
  readonly clock: Clock;
  readonly log: Logger;
  /** Whether events arrive now. While they don't, nothing is taken from the cache. */
  readonly listening: () => boolean;
}

/** What a request presents. For a WebSocket, `authorization` is the one in its `connectionParams`. */
export interface PresentedCredentials {
  /** The Authorization header. */
  readonly authorization?: string | undefined;
  /** The Cookie header. */
  readonly cookie?: string | undefined;
  /** The session cookie's value, where it was already read. */
  readonly sessionToken?: string | undefined;
}

const ENTRIES_MAX = 10_000;

/** Events end an entry at once; this, and the interval at which open connections are looked at again, bound what a lost one costs. */
const TTL_MS = 2_500;

/** Shorter can't be a token (an operator's own has 32 at least), longer is not worth hashing. */
const TOKEN_CHARACTERS = { min: 32, max: 512 };

/** `Bearer` in any case, as RFC 9110, 11.1 has it. */
const BEARER = /^bearer +(\S+) *$/i;

interface Known {
  readonly principal: Principal;
  /** Unix milliseconds; `undefined` for a token that does not expire. */
  readonly expiresAtMs: number | undefined;
}

/**
 * Finds out who calls, for HTTP and for WebSockets. Credentials that are nobody's are remembered too, so that a flood
 * of guesses costs PostgreSQL little.
 */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #usage: CredentialUsage;
  readonly #entries = new LRUCache<string, Promise<Known | undefined>>({ max: ENTRIES_MAX, ttl: TTL_MS });
  /** By credential, the entry's key: for the events, which name the credential. */
  readonly #keys = new LRUCache<string, string>({ max: ENTRIES_MAX });
  readonly #stop: () => void;
  /** Goes up with every event: a read that began before one may have missed what it tells. */
  #generation = 0;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    this.#usage = new CredentialUsage(options);
    this.#stop = options.hub.listen([topics.credentials], (notification) => {
      this.#generation += 1;
      if (notification.kind !== 'credential-ended') return this.#entries.clear();
      const key = this.#keys.get(notification.credentialId);
      if (key !== undefined) this.#entries.delete(key);
    });
  }

  /**
   * An Authorization header decides alone: when it is there and wrong, the cookie does not help.
   *
   * @returns `undefined` for nobody: nothing presented, or nothing that is valid now.
   */
  async authenticate(presented: PresentedCredentials): Promise<Principal | undefined> {
    if (presented.authorization !== undefined) {
      const token = BEARER.exec(presented.authorization)?.[1];
      return token === undefined ? undefined : await this.#principalOf('api-token', token);
    }
    const session = presented.sessionToken ?? sessionTokenIn(presented.cookie);
    return session === undefined ? undefined : await this.#principalOf('session', session);
  }

  async close(): Promise<void> {
    this.#stop();
    this.#entries.clear();
    await this.#usage.close();
  }

  async #principalOf(type: StoredCredential, text: string): Promise<Principal | undefined> {
    if (text.length < TOKEN_CHARACTERS.min || text.length > TOKEN_CHARACTERS.max) return undefined;
    if (type === 'api-token' && claimsToBeOurs(text) && readApiTokenText(text) === undefined) return undefined;
    const known = await this.#lookUp(type, hashCredential(text));
    if (known === undefined) return undefined;
    if (known.expiresAtMs !== undefined && known.expiresAtMs <= this.#options.clock.nowMs()) return undefined;
    if (type === 'api-token') this.#usage.note(known.principal.credential.id);
    return known.principal;
  }

  async #lookUp(type: StoredCredential, hash: Buffer): Promise<Known | undefined> {
    const key = `${type}:${hash.toString('base64')}`;
    const cached = this.#options.listening() ? this.#entries.get(key) : undefined;
    if (cached !== undefined) return await cached;
    const generation = this.#generation;
    const loading = readCredential(this.#options.sql, type, hash);
    this.#entries.set(key, loading);
    try {
      const known = await loading;
      if (known !== undefined) this.#keys.set(known.principal.credential.id, key);
      if (generation !== this.#generation) this.#entries.delete(key);
      return known;
    } catch (error) {
      this.#entries.delete(key); // a failed read is not an answer to keep
      throw error;
    }
  }
}

type StoredCredential = Exclude<Credential['type'], 'system'>;

interface CredentialRow {
  readonly id: string;
  readonly userId: string;
  readonly role: UserRole;
  readonly scopes: string[];
  readonly expiresAt: Date | null;
}

const VALID = 'c.revoked_at is null and (c.expires_at is null or c.expires_at > now()) and u.disabled_at is null';

const READ: Readonly<Record<StoredCredential, string>> = {
  'api-token': `
    select c.id, c.user_id as "userId", u.role, c.scopes, c.expires_at as "expiresAt"
    from api_tokens c join users u on u.id = c.user_id where c.token_hash = $1 and ${VALID}`,
  session: `
    select c.id, c.user_id as "userId", u.role, array[]::text[] as scopes, c.expires_at as "expiresAt"
    from sessions c join users u on u.id = c.user_id where c.token_hash = $1 and ${VALID}`,
};

async function readCredential(sql: Sql, type: StoredCredential, hash: Buffer): Promise<Known | undefined> {
  const { rows } = await sql.query<CredentialRow>({ name: `read-${type}`, text: READ[type], values: [hash] });
  const [row] = rows;
  if (row === undefined) return undefined;
  const { id, userId, role, scopes, expiresAt } = row;
  return {
    principal: { userId, role, credential: { type, id }, scopes },
    expiresAtMs: expiresAt?.getTime(),
  };
}
