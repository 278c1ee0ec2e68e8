import type { HeaderForm, HeaderForms, Reference } from './form.js';

const text = (description: string, more: Readonly<Record<string, unknown>> = {}): HeaderForm => ({
  description,
  schema: { type: 'string', ...more },
});

/** A header that such a response always has. */
export const always = (header: HeaderForm): HeaderForm => ({ ...header, required: true });

/** On every response. */
const COMMON: Readonly<Record<string, HeaderForm>> = {
  'X-Request-Id': always(text("The caller's own if it is a sane one, else a new one: for questions.")),
  'X-Content-Type-Options': always(text('Browsers are not to guess types.', { const: 'nosniff' })),
  'Cache-Control': text('Nothing is kept, but the description of the API.'),
};

/** On every response of a route that a browser may open. */
const FOR_BROWSERS: Readonly<Record<string, HeaderForm>> = {
  'X-Frame-Options': text('No page may frame it.', { const: 'DENY' }),
  'Referrer-Policy': text('No address is told to others.'),
  'Content-Security-Policy': text('It is data: nothing in it may run.'),
  'Strict-Transport-Security': text('Over HTTPS only.'),
};

const SECONDS = { pattern: '^[0-9]+$' };

export const RETRY_AFTER = text('Seconds after which to ask again.', SECONDS);
export const PREFERENCE_APPLIED = text('What was done of what the caller preferred (RFC 7240).');
export const VARY = text('What the answer depends on.');
export const ETAG = text('Changes when the answer does.', { pattern: '^"[^"]+"$' });

/** What answers to calls that were accepted may have. */
export const CALL_HEADERS: HeaderForms = {
  'Preference-Applied': PREFERENCE_APPLIED,
  'Idempotent-Replayed': text('The call came before under the same key: the answer is that of the first one.', {
    const: 'true',
  }),
};

export const LOCATION = always(
  text('The result: of the one execution, or of the call. The link opens it for a day.', { format: 'uri-reference' }),
);

/** What a problem's status carries. */
export const PROBLEM_HEADERS: Readonly<Partial<Record<number, HeaderForms>>> = {
  401: { 'WWW-Authenticate': always(text('As RFC 9110 demands it.')) },
  405: { Allow: always(text('The methods that are.')) },
  429: {
    'Retry-After': always(RETRY_AFTER),
    'RateLimit-Policy': text(
      'Of a rate limit: its name, calls, seconds (draft-ietf-httpapi-ratelimit-headers-11). Not of a model without room.',
    ),
    RateLimit: text('What is left of it, and seconds until there is more.'),
  },
  503: { 'Retry-After': always(RETRY_AFTER) },
};

/** The headers of a response, its own before those of all. */
export function headersOf(own: HeaderForms, forBrowsers: boolean): HeaderForms {
  return { ...own, ...references(COMMON), ...(forBrowsers ? references(FOR_BROWSERS) : {}) };
}

/** What stands in the document's components. */
export const SHARED_HEADERS: Readonly<Record<string, HeaderForm>> = { ...COMMON, ...FOR_BROWSERS };

function references(headers: Readonly<Record<string, HeaderForm>>): Record<string, Reference> {
  return Object.fromEntries(Object.keys(headers).map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}
