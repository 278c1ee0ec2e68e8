import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto';
import type { Clock } from '../lib/clock.js';

/** How long a link opens what it names, in seconds. */
export const LINK_VALID_S = 86_400;

export type LinkCheck = 'valid' | 'expired' | 'invalid';

/**
 * Links that carry their own permission: HMAC-SHA256 over the path and the moment of expiry. An HMAC sender has no
 * secret to show when it polls, so the `Location` of its 202 lets it read that one resource, for a day.
 */
export class LinkSigner {
  readonly #key: KeyObject;
  readonly #clock: Clock;

  /** @param key 32 random bytes that every process of the installation shares and that sign nothing else. */
  constructor(key: Uint8Array, clock: Clock) {
    this.#key = createSecretKey(key);
    this.#clock = clock;
  }

  /** @returns the path with `expires` (Unix seconds) and `signature` (hex) behind it. */
  sign(path: string): string {
    const expires = String(Math.floor(this.#clock.nowMs() / 1000) + LINK_VALID_S);
    return `${path}?expires=${expires}&signature=${this.#mac(path, expires).toString('hex')}`;
  }

  /** Whether a link's parameters open this path now. A repeated or missing parameter opens nothing. */
  check(path: string, expires: unknown, signature: unknown): LinkCheck {
    if (typeof expires !== 'string' || typeof signature !== 'string') return 'invalid';
    if (!/^\d{1,12}$/.test(expires) || !/^[0-9a-f]{64}$/.test(signature)) return 'invalid';
    if (!timingSafeEqual(this.#mac(path, expires), Buffer.from(signature, 'hex'))) return 'invalid';
    return Number(expires) * 1000 > this.#clock.nowMs() ? 'valid' : 'expired';
  }

  #mac(path: string, expires: string): Buffer {
    return createHmac('sha256', this.#key).update(`${path}\n${expires}`).digest();
  }
}
