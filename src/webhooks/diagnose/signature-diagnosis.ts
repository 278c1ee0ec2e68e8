import { headerValues } from '../verify/incoming-headers.js';
import { isBodyHashed, queryOf } from '../verify/provider/base-string.js';
import { itemNamed } from '../verify/provider/extract.js';
import { parseUntrusted, valuesAt } from '../verify/provider/json-path.js';
import type { AsymmetricScheme, HmacScheme, ProviderRequest, TimestampRule } from '../verify/provider/provider.js';
import { isSameText, publicKey } from '../verify/provider/schemes.js';
import type { Budget } from './budget.js';
import {
  type DiagnosedWebhook,
  type Diagnosis,
  diagnosis,
  endedFault,
  type Fault,
  isValidSecret,
  otherFault,
  rightBut,
} from './diagnosis.js';
import { oneHeader } from './header-fault.js';
import { type Presented, presentedTexts } from './presented.js';
import { baseForms, requestForms } from './request-forms.js';
import type { Rule } from './rules.js';
import { search, type SecretForm } from './search.js';
import { ALGORITHM_OF_LENGTH, type SignatureForm, signatureForms } from './signature-forms.js';
import { timeFault } from './time-fault.js';

type SignedScheme = HmacScheme | AsymmetricScheme;

export interface Circumstances {
  readonly nowMs: number;
  readonly budget: Budget;
  /** The origin that the sender says it called, if it is known. */
  readonly calledOrigin?: string | undefined;
}

/** Says what is wrong with a request that should be signed and was not verified. */
export function diagnoseSigned(
  { secrets, others }: DiagnosedWebhook,
  rule: Rule & { readonly scheme: SignedScheme },
  request: ProviderRequest,
  { nowMs, budget, calledOrigin }: Circumstances,
): Diagnosis {
  const { scheme } = rule;
  const header = oneHeader(request.rawHeaders, scheme.header, headersOf(scheme));
  if ('fault' in header) return header.fault;
  const presented = presentedTexts(header.value, rule);
  const texts = [header.value, ...presented.map(({ text }) => text)];
  if (texts.some((text) => [...secrets, ...others].some(({ secret }) => isSameText(text.trim(), secret)))) {
    return diagnosis('SECRET_SENT', `${scheme.header} carries the secret itself, where a signature belongs.`);
  }
  const beside = partsBeside(scheme, request, header.value);
  if ('fault' in beside) return beside.fault;
  const forms = presented.flatMap(({ text, faults }) =>
    signatureForms(text, scheme.enc).map((form): SignatureForm => ({ ...form, faults: [...faults, ...form.faults] })),
  );
  const malformed = malformation(scheme, presented, forms);
  if (malformed !== undefined) return malformed;
  if (scheme.bodyHashParameter !== undefined && !isBodyHashed(scheme.bodyHashParameter, request)) {
    return bodyHashDiagnosis(scheme.bodyHashParameter, request);
  }
  const valid = secrets.filter(isValidSecret);
  if (scheme.scheme === 'asymmetric' && !valid.some(({ secret }) => publicKey(scheme, secret) !== undefined)) {
    return diagnosis('PUBLIC_KEY_INVALID', 'The secret of this webhook is no public key of this sender.');
  }

  const tried: SecretForm[] = [
    ...valid.map(({ secret }) => ({ secret, fault: undefined })),
    ...secrets
      .filter((it) => !isValidSecret(it))
      .map((it) => ({ secret: it.secret, fault: endedFault(it, 'signature') })),
    ...others.map((it) => ({ secret: it.secret, fault: otherFault(it, 'signature') })),
  ];
  const found = search(scheme, {
    signatures: forms,
    secrets: tried,
    requests: (mistakes) =>
      mistakes === 0 ? [{ request, fault: undefined }] : requestForms(scheme, request, budget, calledOrigin),
    bases: baseForms(scheme, { timestamp: beside.timestamp !== '', id: beside.id !== '' }),
    parts: beside,
    budget,
  });
  const time = timeOf(scheme, request, beside.timestamp, nowMs);
  if (found === undefined) return nothingFits(scheme, presented, time, budget.exhausted);
  const [first, ...more] = time === undefined ? found : [...found, time];
  // Right in every way, and refused all the same: only a form that is too strict for the verifier is left.
  if (first === undefined) {
    return diagnosis(
      'SIGNATURE_MALFORMED',
      `The signature in ${scheme.header} is right, but not in the expected form.`,
    );
  }
  return rightBut('signature', [first, ...more]);
}

/** All that a scheme reads. */
function headersOf({ header, ts, idHeader }: SignedScheme): string[] {
  return [header, ...(ts?.from === 'header' ? [ts.name] : []), ...(idHeader === undefined ? [] : [idHeader])];
}

interface Beside {
  readonly timestamp: string;
  readonly id: string;
}

/** Time and id, from where they belong, or from wherever something like them stands. */
function partsBeside(
  scheme: SignedScheme,
  request: ProviderRequest,
  header: string,
): Beside | { readonly fault: Diagnosis } {
  const { rawHeaders } = request;
  let id = '';
  if (scheme.idHeader !== undefined) {
    const found = oneHeader(rawHeaders, scheme.idHeader, headersOf(scheme));
    if ('fault' in found) return found;
    id = found.value;
  } else {
    id = ['webhook-id', 'svix-id', 'x-webhook-id'].flatMap((name) => headerValues(rawHeaders, name))[0] ?? '';
  }
  const { ts, extract } = scheme;
  if (ts?.from === 'header') {
    const found = oneHeader(rawHeaders, ts.name, headersOf(scheme), 'TIMESTAMP_MISSING');
    return 'fault' in found ? found : { timestamp: found.value, id };
  }
  if (ts?.from === 'signature') {
    const timestamp = extract === undefined ? undefined : itemNamed(header, extract, ts.name);
    if (timestamp !== undefined) return { timestamp, id };
    const said = `${scheme.header} has no ${ts.name}${extract?.kv ?? ''}…, the time that is signed.`;
    return { fault: diagnosis('TIMESTAMP_MISSING', said) };
  }
  const item = /(?:^|[,;\s])ts?=(\d{9,14})(?:[,;\s]|$)/.exec(header)?.[1];
  const named = rawHeaders.find((value, i) => i % 2 === 1 && /timestamp$/i.test(rawHeaders[i - 1]!) && value !== '');
  return { timestamp: item ?? named ?? '', id };
}

function timeOf({ ts }: SignedScheme, request: ProviderRequest, beside: string, nowMs: number): Fault | undefined {
  if (ts === undefined) return undefined;
  return timeFault(ts.from === 'body' ? timeInBody(ts, request) : beside, ts, nowMs);
}

function timeInBody(rule: TimestampRule, request: ProviderRequest): string {
  const [time] = valuesAt(parseUntrusted(request.body), rule.name);
  return typeof time === 'number' || typeof time === 'string' ? String(time) : '';
}

/** What no signature can look like. */
function malformation(
  scheme: SignedScheme,
  presented: readonly Presented[],
  forms: readonly SignatureForm[],
): Diagnosis | undefined {
  const { header, extract, enc } = scheme;
  if (presented.every(({ text }) => text.trim() === '')) {
    return diagnosis('HEADER_EMPTY', `The header ${header} has no signature in it.`);
  }
  if (scheme.scheme === 'hmac' ? forms.some(({ bytes }) => ALGORITHM_OF_LENGTH.has(bytes.length)) : forms.length > 0) {
    return undefined;
  }
  const inEnc = scheme.scheme === 'hmac' ? `an HMAC-${scheme.alg.toUpperCase()} in ${enc}` : `a signature in ${enc}`;
  const [first] = presented;
  const missing = extract !== undefined && first !== undefined && first.faults.length > 0;
  return missing
    ? diagnosis('SIGNATURE_ITEM_MISSING', `The header ${header} has no ${extract.field}${extract.kv}…, the signature.`)
    : diagnosis(
        'SIGNATURE_MALFORMED',
        `What stands in ${header} is not ${inEnc}: its length or its characters do not fit.`,
      );
}

function bodyHashDiagnosis(parameter: string, request: ProviderRequest): Diagnosis {
  const stated = queryOf(request.target).get(parameter);
  const said =
    stated === null
      ? `The URL has no parameter ${parameter}, and the body is no form: the signature does not cover it.`
      : `The body is not the one whose hash stands in the URL's parameter ${parameter}.`;
  return diagnosis('BODY_HASH', said);
}

function nothingFits(
  scheme: SignedScheme,
  presented: readonly Presented[],
  time: Fault | undefined,
  exhausted: boolean,
): Diagnosis {
  const hints = [
    ...(time === undefined ? [] : [`Besides, ${time.text}.`]),
    ...(exhausted ? ['The request is too large for every known mistake to be tried.'] : []),
  ];
  const [first] = presented;
  const [fault] = first?.faults ?? [];
  if (fault !== undefined) {
    return diagnosis(fault.code, `The signature in ${scheme.header} is wrong, and ${fault.text}.`, hints);
  }
  const what = scheme.base.some((template) => template.includes('{url}')) ? 'secret, body or URL' : 'secret or body';
  return diagnosis('SIGNATURE_WRONG', `The signature in ${scheme.header} is of another ${what}.`, hints);
}
