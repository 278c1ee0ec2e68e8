import type { UserError } from './user-error.js';

const NAME_CHARACTERS_MAX = 200;

/** Checks a name: 1–200 characters after trimming, on one line. */
export function nameFaults(field: readonly string[], name: string): readonly UserError[] {
  const trimmed = name.trim();
  if (trimmed === '') return [{ field, message: 'A name is needed.', code: 'REQUIRED' }];
  if (trimmed.length > NAME_CHARACTERS_MAX) {
    return [{ field, message: `A name has at most ${NAME_CHARACTERS_MAX} characters.`, code: 'TOO_LONG' }];
  }
  return textFaults(field, trimmed, /[\p{Cc}\u2028\u2029]/u);
}

/** Checks a text of several lines. */
export function descriptionFaults(field: readonly string[], text: string, charactersMax: number): readonly UserError[] {
  if (text.length > charactersMax) {
    return [{ field, message: `This has at most ${charactersMax} characters.`, code: 'TOO_LONG' }];
  }
  return textFaults(field, text, /[^\P{Cc}\n\r\t]/u);
}

/** PostgreSQL stores neither U+0000 nor half a surrogate pair; other control characters only break what shows them. */
function textFaults(field: readonly string[], text: string, forbidden: RegExp): readonly UserError[] {
  if (text.isWellFormed() && !forbidden.test(text)) return [];
  return [{ field, message: 'This has characters in it that cannot be shown.', code: 'INVALID_CHARACTERS' }];
}
