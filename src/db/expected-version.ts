import { AppError } from '../errors.js';

/**
 * Refuses a change of something that somebody else has changed since the user saw it. The row must be locked.
 *
 * @param what the thing, as a sentence begins with it (`The webhook`).
 * @param expected the version that the user saw; `undefined` changes whatever there is.
 * @throws AppError CONFLICT.
 */
export function assertVersion(what: string, current: number, expected: number | undefined): void {
  if (expected === undefined || expected === current) return;
  throw new AppError(
    'CONFLICT',
    `${what} is at version ${current}, and this change was made for version ${expected}. Read it again.`,
  );
}
