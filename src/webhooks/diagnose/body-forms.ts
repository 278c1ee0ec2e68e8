import { escapeUnicode } from '../verify/provider/base-string.js';
import type { Budget } from './budget.js';
import type { Fault } from './diagnosis.js';

/** What a sender may have signed instead of the bytes that it sent. */
export interface BodyForm {
  readonly body: Uint8Array;
  readonly fault: Fault;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Writing a body in another form costs about as much as hashing it so many times. */
const COST_OF_FORM = 4;

/**
 * The bodies that senders sign by mistake, the most frequent first, none equal to the body or to one before it.
 *
 * @param body as it came; what is no UTF-8 or no JSON has fewer forms.
 * @param budget ends them.
 */
export function bodyForms(body: Uint8Array, budget: Budget): BodyForm[] {
  const text = decode(body);
  const forms: BodyForm[] = [];
  const makers = [...lineBreakForms(body), ...EMPTY, ...(text === undefined ? [] : textForms(text))];
  for (const make of makers) {
    if (!budget.spend(0, COST_OF_FORM * body.length)) break;
    const form = make();
    if (![body, ...forms.map((other) => other.body)].some((other) => Buffer.compare(other, form.body) === 0)) {
      forms.push(form);
    }
  }
  return forms;
}

type Make = () => BodyForm;

const EMPTY: readonly Make[] = [
  () => ({ body: Buffer.alloc(0), fault: { code: 'BODY_NOT_SIGNED', text: 'it is of an empty body' } }),
];

function textForms(text: string): Make[] {
  const forms: [Fault['code'], () => string, string][] = [];
  const value = parse(text);
  if (value !== undefined) {
    const compact = JSON.stringify(value);
    const sorted = (): string => JSON.stringify(withSortedKeys(value));
    const slashed = (): string => compact.replaceAll('/', '\\/');
    const again = 'it is of the body parsed and serialised again';
    forms.push(
      ['BODY_RESERIALIZED', () => compact, `${again}, instead of the raw body`],
      ['BODY_PRETTY_PRINTED', () => JSON.stringify(value, null, 2), `${again} with an indentation of 2 spaces`],
      ['BODY_RESERIALIZED', () => spaced(compact), `${again} with spaces after commas and colons`],
      ['BODY_KEYS_SORTED', sorted, `${again} with its keys sorted`],
      ['BODY_ESCAPED', () => escapeUnicode(compact), `${again} with text outside ASCII escaped`],
      ['BODY_ESCAPED', () => escapeUnicode(spaced(compact)), `${again} with spaces and text outside ASCII escaped`],
      ['BODY_ESCAPED', slashed, `${again} with its slashes escaped`],
      ['BODY_ESCAPED', () => escapeUnicode(slashed()), `${again} with slashes and text outside ASCII escaped`],
      ['BODY_PRETTY_PRINTED', () => JSON.stringify(value, null, 4), `${again} with an indentation of 4 spaces`],
      ['BODY_PRETTY_PRINTED', () => JSON.stringify(value, null, '\t'), `${again} with an indentation of tabs`],
      ['BODY_KEYS_SORTED', () => spaced(sorted()), `${again} with its keys sorted and spaces after commas and colons`],
    );
  }
  forms.push(
    ['BODY_ESCAPED', () => escapeUnicode(text), 'it is of the body with text outside ASCII escaped'],
    ['BODY_ESCAPED', () => JSON.stringify(text), 'it is of the body encoded as a JSON text a second time'],
  );
  return forms.map(([code, form, said]) => () => ({ body: Buffer.from(form()), fault: { code, text: said } }));
}

function lineBreakForms(body: Uint8Array): Make[] {
  let end = body.length;
  while (end > 0 && isSpace(body[end - 1]!)) end -= 1;
  const text = (): string => Buffer.from(body).toString('latin1');
  const unix = (): string => text().replaceAll('\r\n', '\n');
  return [
    lineBreakForm(() => Buffer.concat([body, Buffer.from('\n')]), 'with a line break at its end, which was not sent'),
    lineBreakForm(() => Buffer.concat([body, Buffer.from('\r\n')]), 'with CR and LF at its end, which were not sent'),
    lineBreakForm(() => body.subarray(0, end), 'without the line break or space at its end, which was sent'),
    lineBreakForm(() => Buffer.from(unix(), 'latin1'), 'with LF for each CR LF'),
    lineBreakForm(() => Buffer.from(unix().replaceAll('\n', '\r\n'), 'latin1'), 'with CR LF for each LF'),
    lineBreakForm(() => Buffer.from(text().replaceAll(/[\r\n]/g, ''), 'latin1'), 'without its line breaks'),
  ];
}

/** @param said what is told of it after "it is of the body". */
function lineBreakForm(make: () => Uint8Array, said: string): Make {
  return () => ({ body: make(), fault: { code: 'BODY_NEWLINE', text: `it is of the body ${said}` } });
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

function decode(body: Uint8Array): string | undefined {
  try {
    return decoder.decode(body);
  } catch {
    return undefined;
  }
}

/** @returns an object or array, all that has more than one way to be written. */
function parse(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    withSortedKeys(value); // what is nested too deep for it is not serialised either
    return value;
  } catch {
    return undefined;
  }
}

/** @throws RangeError for what is nested too deep. */
function withSortedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withSortedKeys);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, member]) => [key, withSortedKeys(member)]));
}

/** Compact JSON with a space after each comma and colon outside texts, as Python writes it. */
function spaced(compact: string): string {
  return compact.replaceAll(/"(?:[^"\\]|\\.)*"|[,:]/g, (token) => (token.length === 1 ? `${token} ` : token));
}
