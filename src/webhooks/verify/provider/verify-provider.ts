import { headerValues } from '../incoming-headers.js';
import type { ValidSecret, Verification } from '../verify-credential.js';
import { baseStrings, isBodyHashed } from './base-string.js';
import { decodeSignatures, itemNamed, signatureTexts } from './extract.js';
import { parseUntrusted, valuesAt } from './json-path.js';
import type {
  AsymmetricScheme,
  HmacScheme,
  Provider,
  ProviderRequest,
  Scheme,
  TimestampRule,
  TokenScheme,
} from './provider.js';
import { isSameText, matches } from './schemes.js';
import { timestampFault } from './timestamp.js';

type SignedScheme = HmacScheme | AsymmetricScheme;

/**
 * Authenticates what a sender sent by its row in the table, a pure function of its arguments. Every secret is tried
 * against every signature, over the raw bytes; one that fits and has expired is refused as such.
 */
export function verifyProvider(
  provider: Provider,
  secrets: readonly ValidSecret[],
  request: ProviderRequest,
  nowMs: number,
): Verification {
  let refusal: Verification | undefined;
  for (const scheme of provider.schemes) {
    const verification = verifyScheme(scheme, secrets, request, nowMs);
    if (verification.verified) return verification;
    // Of several schemes the one whose header came is the one that the sender meant.
    if (refusal === undefined || isPresent(scheme, request)) refusal = verification;
  }
  return refusal!;
}

function isPresent(scheme: Scheme, request: ProviderRequest): boolean {
  const name = scheme.scheme !== 'token' ? scheme.header : scheme.from === 'header' ? scheme.name : undefined;
  return name === undefined || headerValues(request.rawHeaders, name.toLowerCase()).length > 0;
}

function verifyScheme(
  scheme: Scheme,
  secrets: readonly ValidSecret[],
  request: ProviderRequest,
  nowMs: number,
): Verification {
  return scheme.scheme === 'token'
    ? verifyToken(scheme, secrets, request, nowMs)
    : verifySignature(scheme, secrets, request, nowMs);
}

function verifySignature(
  scheme: SignedScheme,
  secrets: readonly ValidSecret[],
  request: ProviderRequest,
  nowMs: number,
): Verification {
  const header = only(request, scheme.header);
  if ('fault' in header) return refused(header.fault);
  const texts = signatureTexts(header.value, scheme.extract);
  if (texts.length === 0) return refused(`${scheme.header} has no ${scheme.extract!.field}${scheme.extract!.kv}…`);
  const signatures = decodeSignatures(texts, scheme.enc);
  if (signatures.length === 0) return refused(`the signature in ${scheme.header} is not ${scheme.enc}`);
  const id = scheme.idHeader === undefined ? { value: '' } : only(request, scheme.idHeader);
  if ('fault' in id) return refused(id.fault);
  const signedTime = timeBesideBody(scheme, request, header.value);
  if ('fault' in signedTime) return refused(signedTime.fault);
  if (scheme.bodyHashParameter !== undefined && !isBodyHashed(scheme.bodyHashParameter, request)) {
    return refused(`the body is not the one of ${scheme.bodyHashParameter} in the URL`);
  }

  const bases = baseStrings(scheme, request, { timestamp: signedTime.value, id: id.value });
  const fitting = secrets.filter(({ secret }) => matches(scheme, secret, bases, signatures));
  const what = scheme.base.some((template) => template.includes('{url}')) ? 'secret, body or URL' : 'secret or body';
  const verification = chosen(fitting, nowMs, `the signature is of another ${what}`);
  if (!verification.verified || scheme.ts === undefined) return verification;
  const time = scheme.ts.from === 'body' ? timeInBody(scheme.ts, request) : signedTime.value;
  const fault = timestampFault(time, scheme.ts, nowMs);
  return fault === undefined ? verification : refused(fault);
}

function timeBesideBody(scheme: SignedScheme, request: ProviderRequest, header: string): Only {
  const { ts, extract } = scheme;
  if (ts === undefined || ts.from === 'body') return { value: '' };
  if (ts.from === 'header') return only(request, ts.name);
  const value = extract === undefined ? undefined : itemNamed(header, extract, ts.name);
  return value === undefined ? { fault: `${scheme.header} has no ${ts.name}` } : { value };
}

function timeInBody(rule: TimestampRule, request: ProviderRequest): string {
  const [time] = valuesAt(parseUntrusted(request.body), rule.name);
  return typeof time === 'number' || typeof time === 'string' ? String(time) : '';
}

function verifyToken(
  scheme: TokenScheme,
  secrets: readonly ValidSecret[],
  request: ProviderRequest,
  nowMs: number,
): Verification {
  let tokens: readonly unknown[];
  if (scheme.from === 'header') {
    const header = only(request, scheme.name);
    if ('fault' in header) return refused(header.fault);
    tokens = [Buffer.from(header.value, 'latin1').toString('utf8')];
  } else {
    tokens = tokensInBody(scheme, request);
    if (tokens.length === 0) return refused(`the body has no ${scheme.name}`);
  }
  const fitting = secrets.filter(({ secret }) =>
    tokens.every((token) => typeof token === 'string' && isSameText(token, secret)),
  );
  return chosen(fitting, nowMs, 'the secret is wrong');
}

/** Every element must carry the token: one that lacks it counts as one that is wrong. */
export function tokensInBody({ name }: TokenScheme, request: ProviderRequest): readonly unknown[] {
  const at = name.lastIndexOf('[].');
  const document = parseUntrusted(request.body);
  if (at === -1) return valuesAt(document, name);
  return valuesAt(document, name.slice(0, at + 2)).map((element) => valuesAt(element, name.slice(at + 3))[0]);
}

function chosen(fitting: readonly ValidSecret[], nowMs: number, otherwise: string): Verification {
  const valid = fitting.find(({ expiresAtMs }) => expiresAtMs === undefined || expiresAtMs > nowMs);
  if (valid !== undefined) return { verified: true, secretId: valid.id };
  return refused(fitting.length > 0 ? 'the secret has expired after a rotation' : otherwise);
}

type Only = { readonly value: string } | { readonly fault: string };

/** A header that must come exactly once. */
function only(request: ProviderRequest, name: string): Only {
  const values = headerValues(request.rawHeaders, name.toLowerCase());
  if (values.length > 1) return { fault: `the header ${name} was sent ${values.length} times` };
  return values.length === 0 ? { fault: `the header ${name} is missing` } : { value: values[0]! };
}

function refused(reason: string): Verification {
  return { verified: false, reason };
}
