import { headerValues } from './verify/incoming-headers.js';

const FORM_MEDIA_TYPE = /^application\/x-www-form-urlencoded[ \t]*(?:;|$)/i;

export function isForm(rawHeaders: readonly string[]): boolean {
  return FORM_MEDIA_TYPE.test(headerValues(rawHeaders, 'content-type')[0] ?? '');
}

/** The values of a form by name, in one pass: whoever sends a hundred thousand names must not make it slow. */
export function readForm(body: Uint8Array): Map<string, string[]> {
  const form = new Map<string, string[]>();
  for (const [name, value] of new URLSearchParams(Buffer.from(body).toString())) {
    const values = form.get(name);
    if (values === undefined) form.set(name, [value]);
    else values.push(value);
  }
  return form;
}
