import type { UserError } from '../../lib/user-error.js';
import { parseJsonPointer } from '../../lib/json-pointer.js';

const WINDOW_MS_MIN = 1_000;
const WINDOW_MS_MAX = 604_800_000;
const POINTER_CHARACTERS_MAX = 500;

/** What is wrong with how a webhook is to know repeated calls. */
export function idempotencyFaults(input: {
  readonly idempotencyWindowMs?: number | null | undefined;
  readonly idempotencyPointer?: string | null | undefined;
}): readonly UserError[] {
  const { idempotencyWindowMs: windowMs, idempotencyPointer: pointer } = input;
  const faults: UserError[] = [];
  if (typeof windowMs === 'number' && !(windowMs >= WINDOW_MS_MIN && windowMs <= WINDOW_MS_MAX)) {
    const message = 'A repeated call is known for 1 second to 7 days.';
    faults.push({ field: ['idempotencyWindow'], message, code: 'OUT_OF_RANGE' });
  }
  if (typeof pointer === 'string' && !isPointer(pointer)) {
    const message = `A JSON pointer begins with "/", has "~0" for "~" and "~1" for "/", and at most ${POINTER_CHARACTERS_MAX} characters.`;
    faults.push({ field: ['idempotencyPointer'], message, code: 'INVALID_POINTER' });
  }
  return faults;
}

/** The whole body is no id; U+0000 is nothing that the database can store. */
function isPointer(pointer: string): boolean {
  if (pointer === '' || pointer.length > POINTER_CHARACTERS_MAX || pointer.includes('\0')) return false;
  return parseJsonPointer(pointer) !== undefined;
}
