import type { Principal } from '../../access/principal.js';
import { type Notification, topics } from '../../events/event.js';
import type { EventHub } from '../../events/event-hub.js';
import type { Logger } from '../../lib/logger.js';
import { CLOSE, type Closing } from './close-codes.js';
import type { Authenticates, LiveLimits } from './live-options.js';

/** What was presented when a connection was opened; it is looked at again while it is open. */
export interface Credentials {
  readonly authorization: string | undefined;
  readonly cookie: string | undefined;
}

/** Who is at the other end of a live connection. */
export interface KnownCaller {
  readonly principal: Principal;
  readonly credentials: Credentials;
}

/** A live connection, whatever it is made of. */
export interface LiveSession {
  /** Once that is known. */
  readonly caller: KnownCaller | undefined;
  close(closing: Closing): void;
}

export interface LiveSessionsOptions {
  readonly authenticator: Authenticates;
  readonly limits: LiveLimits;
  readonly hub: EventHub;
  readonly log: Logger;
}

/**
 * The live connections of a process over all transports: how many there may be, and that each is closed when its
 * credentials end. An event says so at once; whatever happens to events, they are looked at every two seconds.
 */
export class LiveSessions {
  readonly #options: LiveSessionsOptions;
  readonly #sessions = new Set<LiveSession>();
  readonly #noneLeft = Promise.withResolvers<void>();
  readonly #recheck: NodeJS.Timeout;
  readonly #stopListening: () => void;
  #closed = false;

  constructor(options: LiveSessionsOptions) {
    this.#options = options;
    this.#recheck = setInterval(() => this.#recheckAll(), options.limits.recheckMs);
    this.#stopListening = options.hub.listen([topics.credentials], (notification) => {
      for (const session of this.#sessions) {
        if (endedBy(notification, session.caller?.principal)) session.close(CLOSE.forbidden);
      }
      if (notification.kind === 'resync') this.#recheckAll();
    });
  }

  /** Whether no more are let in. */
  get isFull(): boolean {
    return this.#closed || this.#sessions.size >= this.#options.limits.connectionsMax;
  }

  /** Whether the principal may have one more. */
  admits({ userId }: Principal): boolean {
    let own = 0;
    for (const { caller } of this.#sessions) if (caller?.principal.userId === userId) own += 1;
    return own < this.#options.limits.connectionsPerUserMax;
  }

  add(session: LiveSession): void {
    this.#sessions.add(session);
  }

  /** To be called once the connection is gone. */
  remove(session: LiveSession): void {
    this.#sessions.delete(session);
    if (this.#closed && this.#sessions.size === 0) this.#noneLeft.resolve();
  }

  /** Lets no more in and closes those that are open; resolves when none is left. */
  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      clearInterval(this.#recheck);
      this.#stopListening();
      if (this.#sessions.size === 0) this.#noneLeft.resolve();
      for (const session of this.#sessions) session.close(CLOSE.goingAway);
    }
    await this.#noneLeft.promise;
  }

  #recheckAll(): void {
    for (const session of this.#sessions) void this.#look(session);
  }

  /** Closes a session whose credentials don't open it any more, or not for the same role. */
  async #look(session: LiveSession): Promise<void> {
    const { caller } = session;
    if (caller === undefined) return;
    try {
      const now = await this.#options.authenticator.authenticate(caller.credentials);
      if (now === undefined || !isSame(caller.principal, now)) session.close(CLOSE.forbidden);
    } catch (error) {
      // Without the database nobody can say; nor can anything be read through this connection.
      this.#options.log.debug({ err: error }, 'the credentials of a connection could not be looked at again');
    }
  }
}

/** Whoever got another role connects again, and is known by it then. */
function endedBy(notification: Notification, principal: Principal | undefined): boolean {
  if (principal === undefined) return false;
  if (notification.kind === 'credential-ended') return principal.credential.id === notification.credentialId;
  return notification.kind === 'user-changed' && principal.userId === notification.userId;
}

function isSame(before: Principal, now: Principal): boolean {
  return (
    before.userId === now.userId &&
    before.role === now.role &&
    before.scopes.length === now.scopes.length &&
    before.scopes.every((scope) => now.scopes.includes(scope))
  );
}
