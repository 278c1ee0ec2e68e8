import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../errors.js';
import type { Logger } from '../lib/logger.js';
import type { TlsMaterial } from './tls-files.js';

/** How often the files are read, in milliseconds: a renewed certificate is in use within this time. */
const EVERY_MS = 2_000;

export interface TlsRenewalOptions {
  /** What is in use now. */
  readonly present: TlsMaterial;
  /** Reads the files and tries them. @throws when they are none, or do not belong together. */
  readonly read: () => Promise<TlsMaterial>;
  /** Puts what was read to use for the connections that come; those that are open keep theirs. */
  readonly renew: (material: TlsMaterial) => void;
  readonly log: Logger;
  readonly everyMs?: number;
}

/**
 * Follows the certificate files as they are renewed. Their bytes are compared, for what replaces them (a rename, a
 * symbolic link that moves, another time stamp or the same) differs from one tool to the next. Files that are half
 * renewed or broken change nothing: the certificate in use stays, and a log line says so once.
 */
export class TlsRenewal {
  readonly #options: TlsRenewalOptions;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #present: TlsMaterial;
  #lastFault: string | undefined;

  constructor(options: TlsRenewalOptions) {
    this.#options = options;
    this.#present = options.present;
    this.#done = this.#follow();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      try {
        await pause(this.#options.everyMs ?? EVERY_MS, undefined, { signal, ref: false });
      } catch {
        return; // closed
      }
      await this.#check();
    }
  }

  async #check(): Promise<void> {
    const { read, renew, log } = this.#options;
    try {
      const found = await read();
      if (!isSame(found, this.#present)) {
        renew(found);
        this.#present = found;
        log.info('the TLS certificate was renewed');
      }
      this.#lastFault = undefined;
    } catch (error) {
      const fault = messageOf(error);
      if (fault !== this.#lastFault) log.warn({ reason: fault }, 'the TLS files cannot be used; the former stay');
      this.#lastFault = fault;
    }
  }
}

function isSame(one: TlsMaterial, other: TlsMaterial): boolean {
  const hasSameCa = one.ca === undefined || other.ca === undefined ? one.ca === other.ca : one.ca.equals(other.ca);
  return hasSameCa && one.cert.equals(other.cert) && one.key.equals(other.key);
}
