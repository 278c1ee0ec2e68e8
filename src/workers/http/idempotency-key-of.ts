import { createHash } from 'node:crypto';

/** The part of an `Idempotency-Key` that names a step: its path, or the hash of one that is no key's text. */
export function idempotencyKeyOf(path: string): string {
  return /^[\w./:-]{1,150}$/.test(path) ? path : createHash('sha256').update(path).digest('hex');
}
