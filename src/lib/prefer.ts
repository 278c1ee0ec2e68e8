/** What a request prefers of the things that can be preferred here (RFC 7240). */
export interface Preferences {
  /** `respond-async`: an answer at once, results later. */
  readonly respondAsync: boolean;
  /** `wait=N` in milliseconds: how long the caller wants to wait for results; not capped. */
  readonly waitMs: number | undefined;
}

const NONE: Preferences = { respondAsync: false, waitMs: undefined };

/**
 * A preference or a parameter: a token, and after `=` a token or a quoted string. White space around `=` is allowed
 * for the sake of old senders (RFC 7240, 2: BWS).
 */
const ITEM =
  /[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:[ \t]*=[ \t]*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)|"((?:[^"\\]|\\.)*)"))?[ \t]*/y;

/** What is left of an element that can't be read: up to the next comma that stands in no quoted string. */
const REST_OF_ELEMENT = /(?:[^",]|"(?:[^"\\]|\\.)*"?)*/y;

/**
 * Reads Prefer headers. Unknown preferences and all parameters are ignored, and so is an element that is not
 * well-formed; of a preference that comes twice the first one counts, over all the headers in their order.
 *
 * @param values of every `Prefer` header of the request, in order.
 */
export function parsePrefer(values: readonly string[]): Preferences {
  if (values.length === 0) return NONE;
  const preferences = new Map<string, string>();
  for (const value of values) {
    for (const [name, word] of elements(value)) if (!preferences.has(name)) preferences.set(name, word);
  }
  const wait = preferences.get('wait') ?? '';
  return {
    // With a value it is another preference than the one that the RFC defines (2: an empty value is none).
    respondAsync: preferences.get('respond-async') === '',
    // Nine digits are 31 years; a longer number means the same, and is read as that.
    waitMs: /^\d+$/.test(wait) ? Number(wait.length > 9 ? '999999999' : wait) * 1000 : undefined,
  };
}

/** A `wait` that was honoured, as `Preference-Applied` says it: whole seconds, rounded down. */
export function waitApplied(waitMs: number): string {
  return `wait=${Math.floor(waitMs / 1000)}`;
}

/** The well-formed elements of one header: names in lower case, and values, which are empty where there are none. */
function* elements(text: string): Generator<readonly [name: string, word: string]> {
  for (let at = 0; at < text.length; at += 1) {
    const preference = itemAt(text, at);
    let end = preference?.end ?? at;
    while (text[end] === ';') end = itemAt(text, end + 1)?.end ?? blankEnd(text, end + 1); // RFC 7240, 2: `; ;` is allowed
    REST_OF_ELEMENT.lastIndex = end;
    REST_OF_ELEMENT.test(text);
    at = REST_OF_ELEMENT.lastIndex;
    if (preference !== undefined && end === at) yield [preference.name, preference.word];
  }
}

function itemAt(
  text: string,
  at: number,
): { readonly name: string; readonly word: string; readonly end: number } | undefined {
  ITEM.lastIndex = at;
  const found = ITEM.exec(text);
  if (found === null) return undefined;
  const [, name = '', token, quoted] = found;
  return { name: name.toLowerCase(), word: token ?? quoted?.replace(/\\(.)/g, '$1') ?? '', end: ITEM.lastIndex };
}

function blankEnd(text: string, at: number): number {
  let end = at;
  while (text[end] === ' ' || text[end] === '\t') end += 1;
  return end;
}
