import { codeOf } from '../errors.js';

/** After how long it is worth asking again, in milliseconds. */
export const DATABASE_RETRY_AFTER_MS = 2_000;

/** What Node says when nobody answers, and what PostgreSQL says when it starts, stops or is full (classes 08, 53, 57). */
const AWAY = /^(?:ECONNREFUSED|ECONNRESET|ENOENT|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|08\w{3}|53\w{3}|57P\d\d)$/;

/** Whether a statement failed because PostgreSQL could not be reached, or takes nobody just now: it may be asked again. */
export function isDatabaseAway(error: unknown): boolean {
  if (AWAY.test(codeOf(error) ?? '')) return true;
  // pg has no code for an exhausted pool nor for a connection that broke; the code of a database that is closed is
  // also that of other faults (55000).
  return (
    error instanceof Error &&
    /^(?:timeout exceeded when trying to connect|Connection terminated)|is not currently accepting connections$/.test(
      error.message,
    )
  );
}
