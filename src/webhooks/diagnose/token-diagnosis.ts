import { createHmac, timingSafeEqual } from 'node:crypto';
import { parseUntrusted } from '../verify/provider/json-path.js';
import type { ProviderRequest, TokenScheme } from '../verify/provider/provider.js';
import { isSameText } from '../verify/provider/schemes.js';
import { tokensInBody } from '../verify/provider/verify-provider.js';
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
import type { Rule } from './rules.js';
import { signatureForms } from './signature-forms.js';

/** Whoever sends more sends no secret. */
const TEXTS_MAX = 4;

/** Says what is wrong with a request that should carry the secret itself and was not verified. */
export function diagnoseToken(
  webhook: DiagnosedWebhook,
  rule: Rule & { readonly scheme: TokenScheme },
  request: ProviderRequest,
): Diagnosis {
  const { scheme, prefix } = rule;
  if (scheme.from === 'body') return diagnoseInBody(webhook, scheme, request);
  const header = oneHeader(request.rawHeaders, scheme.name);
  if ('fault' in header) return header.fault;
  const presented = presentedTexts(header.value, rule).slice(0, TEXTS_MAX);
  if (presented.every(({ text }) => text.trim() === '') || header.value.trim() === prefix.trim()) {
    return diagnosis('HEADER_EMPTY', `The header ${scheme.name} has nothing behind its prefix.`);
  }
  for (const { text, faults } of presented.flatMap(textForms)) {
    const found = findSecret(webhook, text);
    const [first, ...more] = [...faults, ...(found?.faults ?? [])];
    if (found !== undefined && first !== undefined) return rightBut('secret', [first, ...more]);
  }
  const sent = presented.flatMap(({ text }) => [...signatureForms(text, 'hex'), ...signatureForms(text, 'base64')]);
  if (sent.some(({ bytes }) => isSignature(webhook, bytes, request.body))) {
    return diagnosis(
      'SIGNATURE_SENT',
      `${scheme.name} carries a signature of the body, where the secret itself belongs.`,
    );
  }
  const fault = presented[0]!.faults[0];
  if (fault !== undefined) return diagnosis(fault.code, `The secret in ${scheme.name} is wrong, and ${fault.text}.`);
  const hints = presented[0]!.text.startsWith('wha_')
    ? ['An API token was sent: it opens the admin API and no webhook.']
    : [];
  return diagnosis('SECRET_WRONG', `The secret in ${scheme.name} is not that of this webhook.`, hints);
}

function diagnoseInBody(webhook: DiagnosedWebhook, scheme: TokenScheme, request: ProviderRequest): Diagnosis {
  const tokens = tokensInBody(scheme, request);
  if (tokens.length === 0) {
    const json = parseUntrusted(request.body) === undefined ? ', for it is not JSON' : '';
    return diagnosis('CREDENTIAL_NOT_IN_BODY', `The body has no ${scheme.name}${json}.`);
  }
  if (tokens.some((token) => typeof token !== 'string')) {
    return diagnosis('CREDENTIAL_NOT_IN_BODY', `Not every element has the text ${scheme.name}.`);
  }
  const texts = [...new Set(tokens as readonly string[])];
  if (texts.length > 1) return diagnosis('SECRET_WRONG', `The body has different texts at ${scheme.name}.`);
  for (const { text, faults } of textForms({ text: texts[0]!, faults: [] })) {
    const found = findSecret(webhook, text);
    const [first, ...more] = [...faults, ...(found?.faults ?? [])];
    if (found !== undefined && first !== undefined) return rightBut('secret', [first, ...more]);
  }
  return diagnosis('SECRET_WRONG', `What stands at ${scheme.name} is not the secret of this webhook.`);
}

/** A presented text as it is and as the secret would be in it. */
function textForms({ text, faults }: Presented): Presented[] {
  const forms: Presented[] = [{ text, faults }];
  const add = (form: string, code: Fault['code'], said: string): void => {
    if (form !== '' && forms.every((other) => other.text !== form)) {
      forms.push({ text: form, faults: [...faults, { code, text: said }] });
    }
  };
  add(text.trim(), 'SECRET_DECORATED', 'spaces or line breaks stand around it');
  add(text.trim().replaceAll(/^["'`<]|["'`>]$/g, ''), 'SECRET_DECORATED', 'quotes or brackets stand around it');
  add(
    text.replace(/(?:\\r)?\\n$|(?:%0[Dd])?%0[Aa]$/, ''),
    'SECRET_DECORATED',
    'a line break stands behind it in letters',
  );
  add(percentDecoded(text), 'SECRET_DECORATED', 'it is percent-encoded');
  add(`whsec_${text}`, 'KEY_PREFIX', 'its beginning, whsec_, is missing');
  add(text.replace(/^whsec_/, ''), 'KEY_PREFIX', 'whsec_ stands before it and is no part of it');
  const decoded = Buffer.from(text, 'base64').toString('latin1');
  add(decoded, 'KEY_DECODED', 'it is encoded in base64');
  add(decoded.slice(decoded.indexOf(':') + 1), 'OTHER_METHOD', 'it is sent by Basic authentication, as the password');
  return forms;
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function findSecret(
  { secrets, others }: DiagnosedWebhook,
  text: string,
): { readonly faults: readonly Fault[] } | undefined {
  const own = secrets.filter(({ secret }) => isSameText(text, secret));
  if (own.some(isValidSecret)) return { faults: [] };
  if (own[0] !== undefined) return { faults: [endedFault(own[0], 'secret')] };
  const other = others.find(({ secret }) => isSameText(text, secret));
  return other === undefined ? undefined : { faults: [otherFault(other, 'secret')] };
}

function isSignature({ secrets }: DiagnosedWebhook, bytes: Buffer, body: Uint8Array): boolean {
  return secrets.filter(isValidSecret).some(({ secret }) => {
    const digest = createHmac('sha256', secret).update(body).digest();
    return bytes.length === digest.length && timingSafeEqual(bytes, digest);
  });
}
