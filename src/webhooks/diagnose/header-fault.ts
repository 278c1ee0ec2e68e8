import { METHOD_DEFAULTS } from '../verify/method-defaults.js';
import { headerValues } from '../verify/incoming-headers.js';
import { headerOf, PROVIDERS } from '../verify/provider/providers.js';
import { AUTHENTICATION_METHODS } from '../webhook.entity.js';
import { type Diagnosis, diagnosis, type DiagnosisCode } from './diagnosis.js';

/** A header's one value, or why there is none. */
export type OneHeader = { readonly value: string } | { readonly fault: Diagnosis };

/**
 * Reads a header that must come once and have something in it.
 *
 * @param besides headers that mean something else: none of them is this one misspelt.
 */
export function oneHeader(
  rawHeaders: readonly string[],
  name: string,
  besides: readonly string[] = [],
  missingCode: DiagnosisCode = 'HEADER_MISSING',
): OneHeader {
  const values = headerValues(rawHeaders, name.toLowerCase());
  const [value] = values;
  if (value === undefined) return { fault: missingHeader(rawHeaders, name, besides, missingCode) };
  if (values.length > 1) {
    return { fault: diagnosis('HEADER_REPEATED', `The header ${name} was sent ${values.length} times.`) };
  }
  if (value.trim() === '') return { fault: diagnosis('HEADER_EMPTY', `The header ${name} is empty.`) };
  return { value };
}

function missingHeader(
  rawHeaders: readonly string[],
  name: string,
  besides: readonly string[],
  code: DiagnosisCode,
): Diagnosis {
  const missing = `The header ${name} is missing`;
  const known = new Set(besides.map((it) => it.toLowerCase()));
  const names = sentNames(rawHeaders).filter((it) => !known.has(it.toLowerCase()));
  const similar = names.find((sent) => isSimilar(sent, name));
  if (similar !== undefined) return diagnosis('HEADER_MISNAMED', `${missing}; ${similar} came instead.`);
  for (const sent of names) {
    const of = usersOf(sent);
    if (of !== '') return diagnosis('OTHER_METHOD', `${missing}; ${sent} came instead, the header of ${of}.`);
  }
  return diagnosis(code, `${missing}.`);
}

/** More than any sender sends; each is compared letter by letter. */
const NAMES_MAX = 64;

/** Names in the order in which they came, each once; what is no plain name is not repeated to anybody. */
function sentNames(rawHeaders: readonly string[]): string[] {
  const names = rawHeaders.filter((name, i) => i % 2 === 0 && /^[\w-]{1,64}$/.test(name));
  return [...new Map(names.map((name) => [name.toLowerCase(), name])).values()].slice(0, NAMES_MAX);
}

/** Who uses a header by default. */
function usersOf(name: string): string {
  const lower = name.toLowerCase();
  const methods = AUTHENTICATION_METHODS.filter((method) => METHOD_DEFAULTS[method].headerName.toLowerCase() === lower);
  const senders = PROVIDERS.filter((provider) => headerOf(provider).toLowerCase() === lower);
  return [
    ...methods.map((method) => `the method ${method}`),
    ...senders.map((sender) => `the sender ${sender.name}`),
  ].join(', ');
}

/** Two letters that differ, another separator, a missing `X-`, or the older or newer header of the same sender. */
function isSimilar(sent: string, wanted: string): boolean {
  const [a, b] = [plain(sent), plain(wanted)];
  if (a === b) return true;
  const shorter = Math.min(a.length, b.length);
  if (shorter < 8) return false;
  return a.startsWith(b) || b.startsWith(a) || distance(a, b) <= 2;
}

function plain(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '')
    .replace(/^x/, '');
}

/** Levenshtein's, row by row. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length]!;
}
