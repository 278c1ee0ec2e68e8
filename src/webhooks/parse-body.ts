import { JSON_DEPTH_MAX, scanJson, type JsonFault } from '../lib/json-scan.js';
import { isForm, readForm } from './form-body.js';
import { headerValues } from './verify/incoming-headers.js';

/** A body fit to be a worker's input, or what is wrong with it. */
export type ParsedBody =
  /** `body`: the JSON to keep, which for JSON are the bytes as they came. */
  | { readonly inputParams: unknown; readonly body: Buffer }
  | { readonly fault: 'unsupported-media-type' | 'malformed-body'; readonly detail: string };

/** What may come besides a JSON object. */
export interface AcceptedForms {
  readonly sendsArrays?: true;
  /** Forms become a JSON object: of a name's value its text, of several an array of them. */
  readonly sendsForms?: true;
  /** Any JSON; an empty body, whatever its type is, counts as `null`. */
  readonly acceptAnyJson?: true;
}

const ONLY_OBJECTS: AcceptedForms = {};

/** What a worker gets of an empty body. */
const NOTHING: ParsedBody = { inputParams: null, body: Buffer.from('null') };

/** `application/json`, or any `application/*+json` (RFC 6839), with parameters. */
const JSON_MEDIA_TYPE = /^application\/(?:json|[\w!#$&^.+-]+\+json)[ \t]*(?:;|$)/i;

const ENCODED = 'A Content-Encoding is not accepted; send the body as it is.';

/**
 * Reads the body as it is declared: JSON, not encoded, UTF-8.
 *
 * @param accepted what will do besides an object.
 */
export function parseBody(rawHeaders: readonly string[], body: Buffer, accepted = ONLY_OBJECTS): ParsedBody {
  const isEncoded = headerValues(rawHeaders, 'content-encoding').length > 0;
  if (accepted.acceptAnyJson && body.length === 0 && !isEncoded) return NOTHING;
  const [contentType] = headerValues(rawHeaders, 'content-type');
  if (contentType === undefined) return unsupported('The Content-Type header is missing; send application/json.');
  if (accepted.sendsForms && isForm(rawHeaders)) return isEncoded ? unsupported(ENCODED) : parseForm(body);
  if (!JSON_MEDIA_TYPE.test(contentType))
    return unsupported('The Content-Type must be application/json or application/*+json.');
  const charset = /;[ \t]*charset[ \t]*=[ \t]*"?([^";, \t]+)/i.exec(contentType)?.[1];
  if (charset !== undefined && !/^utf-?8$/i.test(charset)) return unsupported('JSON is UTF-8 (RFC 8259, 8.1).');
  if (isEncoded) return unsupported(ENCODED);
  const scanned = scanJson(
    body,
    accepted.acceptAnyJson ? 'any' : accepted.sendsArrays ? 'objects and arrays' : 'objects',
  );
  if ('fault' in scanned) return { fault: 'malformed-body', detail: describe(scanned) };
  return { inputParams: scanned.value, body };
}

function parseForm(body: Buffer): ParsedBody {
  const fields = Array.from(readForm(body), ([name, values]) => [name, values.length === 1 ? values[0] : values]);
  const inputParams = Object.fromEntries(fields) as object;
  return { inputParams, body: Buffer.from(JSON.stringify(inputParams)) };
}

function unsupported(detail: string): ParsedBody {
  return { fault: 'unsupported-media-type', detail };
}

function describe(fault: JsonFault): string {
  switch (fault.fault) {
    case 'empty':
      return 'The body is empty; it must be a JSON object.';
    case 'byte-order-mark':
      return 'The body begins with a byte order mark; remove it.';
    case 'invalid-utf8':
      return 'The body is not valid UTF-8.';
    case 'too-deep':
      return `The body is nested deeper than ${JSON_DEPTH_MAX} levels.`;
    case 'not-an-object':
      return 'The body must be a JSON object.';
    case 'syntax':
      return `The body is not well-formed JSON: ${fault.detail}.`;
  }
}
