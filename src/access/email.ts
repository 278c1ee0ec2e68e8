import { z } from 'zod';
import type { UserError } from '../lib/user-error.js';

/** RFC 5321, 4.5.3.1.3, without the brackets. */
const EMAIL_CHARACTERS_MAX = 254;

const EMAIL = z.email().max(EMAIL_CHARACTERS_MAX);

/** Checks an e-mail address; none is fine. */
export function emailFaults(field: readonly string[], email: string | null): readonly UserError[] {
  if (email === null || EMAIL.safeParse(email).success) return [];
  return [{ field, message: 'This is not an e-mail address.', code: 'INVALID' }];
}
