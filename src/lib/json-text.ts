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
