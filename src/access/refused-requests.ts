import type { Database } from '../db/database.js';
import type { Logger } from '../lib/logger.js';
import { recordAudit } from './audit.js';
import { systemPrincipal } from './principal.js';

export interface RefusedRequestsOptions {
  readonly database: Database;
  /** In whose name the process writes to the audit log. */
  readonly ownerId: string;
  readonly log: Logger;
  /** Between two events, in milliseconds; a minute by default. */
  readonly everyMs?: number;
}

/** Origins that one event names, and characters of each: a user makes them up. */
const ORIGINS_MAX = 20;
const ORIGIN_CHARACTERS_MAX = 200;

/**
 * Records outbound requests that were refused, because of an address inside or a URL that is none, in the audit log: the
 * first one at once, then one event a minute at most with how often and where to. So a worker that tries it a thousand
 * times a second neither fills the log nor hides anything.
 */
export class RefusedRequests {
  readonly #options: RefusedRequestsOptions;
  readonly #origins = new Set<string>();
  #times = 0;
  #pause: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: RefusedRequestsOptions) {
    this.#options = options;
  }

  /** Bound: a client is handed it alone. Never throws and never waits. */
  readonly note = (origin: string): void => {
    this.#times += 1;
    if (this.#origins.size < ORIGINS_MAX) this.#origins.add(origin.slice(0, ORIGIN_CHARACTERS_MAX));
    if (this.#pause === undefined) this.#write();
  };

  /** Writes what is left. */
  async close(): Promise<void> {
    clearTimeout(this.#pause);
    await this.#writing;
    if (this.#times > 0) this.#write();
    clearTimeout(this.#pause);
    await this.#writing;
  }

  #write(): void {
    const { database, ownerId, log, everyMs = 60_000 } = this.#options;
    const details = { times: this.#times, origins: [...this.#origins] };
    this.#times = 0;
    this.#origins.clear();
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      if (this.#times > 0) this.#write();
    }, everyMs).unref();
    log.warn(details, 'outbound requests were refused');
    this.#writing = database
      .transaction((em) =>
        recordAudit(em, systemPrincipal(ownerId, 'outbound-guard'), {
          action: 'outbound.refused',
          subjectId: null,
          details,
        }),
      )
      .catch((error: unknown) => {
        log.error({ err: error, ...details }, 'refused outbound requests could not be recorded');
      });
  }
}
