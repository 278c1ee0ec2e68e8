import { headerValues } from '../verify/incoming-headers.js';
import type { AsymmetricScheme, HmacScheme, ProviderRequest } from '../verify/provider/provider.js';
import { PROVIDERS } from '../verify/provider/providers.js';
import type { Budget } from './budget.js';
import { bodyForms } from './body-forms.js';
import type { Fault } from './diagnosis.js';

type SignedScheme = HmacScheme | AsymmetricScheme;

/** A request that may have been signed in place of the one that came. */
export interface RequestForm {
  readonly request: ProviderRequest;
  readonly fault: Fault | undefined;
}

/** A signed string that may have been meant. */
export interface BaseForm {
  readonly templates: readonly string[];
  readonly fault: Fault | undefined;
}

const URLS_MAX = 40;

/** The request itself first, then those with another body or another URL. */
export function requestForms(
  scheme: SignedScheme,
  request: ProviderRequest,
  budget: Budget,
  calledOrigin?: string,
): RequestForm[] {
  const bodies = bodyForms(request.body, budget).map(({ body, fault }) => ({ request: { ...request, body }, fault }));
  const urls = signsUrl(scheme) ? urlForms(request, calledOrigin) : [];
  return [{ request, fault: undefined }, ...urls, ...bodies];
}

function signsUrl(scheme: SignedScheme): boolean {
  return scheme.base.some((template) => template.includes('{url}'));
}

function urlForms(request: ProviderRequest, calledOrigin: string | undefined): RequestForm[] {
  const { publicUrl, target, rawHeaders } = request;
  const hosts = ['host', 'x-forwarded-host', 'x-original-host']
    .flatMap((name) => headerValues(rawHeaders, name))
    .filter((host) => /^[\w.:[\]-]{1,255}$/.test(host));
  const origins = [
    publicUrl,
    swapped(publicUrl),
    ...(calledOrigin === undefined ? [] : [calledOrigin, swapped(calledOrigin)]),
    ...hosts.flatMap((host) => [`https://${host}`, `http://${host}`]),
  ].flatMap((origin) => [origin, withoutPort(origin)]);
  const [path, query] = split(target);
  const slashed = path.endsWith('/') ? path.slice(0, -1) : `${path}/`;
  const targets = [target, slashed + query, path, slashed];
  const urls = new Set(origins.flatMap((origin) => targets.map((it) => `${origin}\n${it}`)));
  urls.delete(`${publicUrl}\n${target}`);
  return [...urls].slice(0, URLS_MAX).map((pair): RequestForm => {
    const [origin = '', it = ''] = pair.split('\n');
    const text = `it is of the URL ${shown(origin + it)}, and this gateway is called ${shown(publicUrl + target)}`;
    return { request: { ...request, publicUrl: origin, target: it }, fault: { code: 'URL_DIFFERS', text } };
  });
}

/** A query can hold anything: only what stands before it is repeated. */
function shown(url: string): string {
  const [start, query] = split(url);
  return query === '' ? start : `${start}?…`;
}

function split(target: string): [path: string, query: string] {
  const at = target.indexOf('?');
  return at === -1 ? [target, ''] : [target.slice(0, at), target.slice(at)];
}

function swapped(origin: string): string {
  return origin.startsWith('https:') ? origin.replace('https:', 'http:') : origin.replace('http:', 'https:');
}

function withoutPort(origin: string): string {
  return origin.replace(/(?<=[^/]):\d+$/, '');
}

/** What else is signed by some sender, or lacks a part of what should be. */
const OTHER_TEMPLATES: readonly string[] = [
  ...new Set([
    '{body}',
    '{timestamp}.{body}',
    '{id}.{body}',
    '{body}{timestamp}',
    '{body}.{timestamp}',
    '{method}{url}{body}',
    '{url}{body}',
    ...PROVIDERS.flatMap(({ schemes }) => schemes.flatMap((it) => (it.scheme === 'token' ? [] : it.base))),
  ]),
];

/** The right signed string first, then others for which the request has the parts. */
export function baseForms(
  scheme: SignedScheme,
  has: { readonly timestamp: boolean; readonly id: boolean },
): BaseForm[] {
  const [right = ''] = scheme.base;
  const others = OTHER_TEMPLATES.filter(
    (template) =>
      !scheme.base.includes(template) &&
      (has.timestamp || !template.includes('{timestamp}')) &&
      (has.id || !template.includes('{id}')) &&
      !template.includes('{escapedBody}'),
  );
  return [
    { templates: scheme.base, fault: undefined },
    ...others.map((template): BaseForm => {
      const missing = ['timestamp', 'id', 'url'].filter(
        (part) => right.includes(`{${part}}`) && !template.includes(`{${part}}`),
      );
      const lacks = missing.length === 0 ? '' : ` (it lacks the ${missing.join(' and the ')})`;
      const text = `it is of ${template}${lacks}, and must be of ${right}`;
      return { templates: [template], fault: { code: 'SIGNED_STRING', text } };
    }),
  ];
}
