/**
 * JSON that stays text. A payload's bytes are the truth (numbers above 2^53, key order, white space): what came in
 * goes out again without being parsed and printed anew.
 */
export type JsonText = string & { readonly __jsonText: unique symbol };

/** Declares a text to be JSON: for bytes that were validated at the ingress and for what PostgreSQL's `json` holds. */
export function asJsonText(text: string): JsonText {
  return text as JsonText;
}

/** Prints a value as JSON text; what JSON cannot say (`undefined`, a function) becomes `null`. */
export function toJsonText(value: unknown): JsonText {
  return (JSON.stringify(value) ?? 'null') as JsonText;
}

/** One member of an object for {@link jsonObject}: a value to print, or JSON text to put in as it is. */
export type JsonMember = readonly [key: string, value: unknown] | readonly [key: string, text: JsonText, raw: 'raw'];

/** Builds an object's text in the order given, leaving out members whose value is `undefined`. */
export function jsonObject(members: readonly JsonMember[]): JsonText {
  const parts: string[] = [];
  for (const [key, value, raw] of members) {
    if (value === undefined) continue;
    const text = raw === 'raw' ? (value as JsonText) : toJsonText(value);
    parts.push(`${JSON.stringify(key)}:${text}`);
  }
  return `{${parts.join(',')}}` as JsonText;
}

/** Builds an array's text from texts. */
export function jsonArray(items: readonly JsonText[]): JsonText {
  return `[${items.join(',')}]` as JsonText;
}

/** Bytes that a text takes as a JSON string, quotes not counted. */
export function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text)) - 2;
}

/** The beginning of a text that takes at most so many {@link jsonBytes}; it ends with no half of a pair. */
export function cutToJsonBytes(text: string, bytes: number): string {
  if (text.length * 6 <= bytes || jsonBytes(text) <= bytes) return text;
  let [fits, tooLong] = [0, Math.min(text.length, bytes + 1)]; // a character takes a byte or more
  while (tooLong - fits > 1) {
    const middle = Math.floor((fits + tooLong) / 2);
    if (jsonBytes(text.slice(0, middle)) <= bytes) fits = middle;
    else tooLong = middle;
  }
  return text.slice(0, fits).replace(/[\uD800-\uDBFF]$/, '');
}
