import { parseJsonPointer, valueAt } from '../lib/json-pointer.js';

/** What a pointer finds in a body: a text that is not empty, or a number with all its digits; anything else is no id. */
export function idAt(body: Buffer, inputParams: unknown, pointer: string): string | undefined {
  const tokens = parseJsonPointer(pointer) ?? [];
  const value = valueAt(inputParams, tokens);
  if (typeof value === 'string') return value === '' ? undefined : value;
  if (typeof value !== 'number') return undefined;
  if (Number.isSafeInteger(value)) return String(value);
  // Two long numbers can be the same once parsed, so it is the digits that count.
  const exact: unknown = JSON.parse(body.toString(), keepDigits);
  return valueAt(exact, tokens) as string;
}

/** A reviver: V8 tells it the text that a number was read from. */
function keepDigits(_: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value === 'number' ? context?.source : value;
}
