import { AppError } from '../errors.js';

/** Prints a place in a list, so that it looks like nothing that a client could build itself. */
export function printCursor(parts: readonly string[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/**
 * Reads a cursor back.
 *
 * @param length how many parts a cursor of this list has.
 * @throws AppError BAD_USER_INPUT when it is not one of this list.
 */
export function readCursor(cursor: string, length: number): readonly string[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (Array.isArray(parts) && parts.length === length && parts.every(isPart)) {
      return parts;
    }
  } catch {
    // said below
  }
  throw new AppError('BAD_USER_INPUT', 'This is not a cursor of this list.');
}

/** PostgreSQL can't even be asked for a text with U+0000 in it. */
function isPart(part: unknown): part is string {
  return typeof part === 'string' && part.isWellFormed() && !part.includes('\0');
}

/**
 * Reads the cursor of a list that is in the order of a counter.
 *
 * @returns `undefined` without a cursor.
 * @throws AppError BAD_USER_INPUT when it is not one of such a list.
 */
export function readNumberCursor(cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined;
  const number = Number(readCursor(cursor, 1)[0]);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new AppError('BAD_USER_INPUT', 'This is not a cursor of this list.');
}
