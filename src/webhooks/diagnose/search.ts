import { createHmac, timingSafeEqual } from 'node:crypto';
import { type BaseParts, baseStrings } from '../verify/provider/base-string.js';
import type { AsymmetricScheme, HmacScheme } from '../verify/provider/provider.js';
import { matches } from '../verify/provider/schemes.js';
import type { Budget } from './budget.js';
import type { Fault } from './diagnosis.js';
import { keyForms } from './key-forms.js';
import type { BaseForm, RequestForm } from './request-forms.js';
import { ALGORITHM_OF_LENGTH, type SignatureForm } from './signature-forms.js';

/** A secret to try, and what is wrong with it. */
export interface SecretForm {
  readonly secret: string;
  readonly fault: Fault | undefined;
}

export interface Search {
  /** Right ones first. */
  readonly signatures: readonly SignatureForm[];
  readonly secrets: readonly SecretForm[];
  /** Those with so many mistakes at most, made when they are needed. */
  readonly requests: (mistakes: number) => readonly RequestForm[];
  readonly bases: readonly BaseForm[];
  readonly parts: BaseParts;
  readonly budget: Budget;
}

/** More than two mistakes at once are not looked for: each multiplies the tries. */
const MISTAKES_MAX = 2;

/** A public key costs as much as so many HMACs. */
const ASYMMETRIC_TRIES = 25;

/** More than any sender sends while secrets roll, in every encoding. */
const SIGNATURES_MAX = 16;

/** Two hundred candidates are enough: the rest is what no sender does. */
const PAIRS_MAX = 200;

/**
 * Looks for what a signature is of: the secret, the key made of it, the request and the signed string, each as it
 * should be or with a known mistake, fewer mistakes first.
 *
 * @returns the mistakes, none when the signature is right; `undefined` when nothing fits or the budget ends.
 */
export function search(scheme: HmacScheme | AsymmetricScheme, wanted: Search): readonly Fault[] | undefined {
  const byLength = Map.groupBy(wanted.signatures.slice(0, SIGNATURES_MAX), ({ bytes }) => bytes.length);
  const keys = keysOf(scheme, wanted.secrets);
  let requests: readonly RequestForm[] = [];
  for (let mistakes = 0; mistakes <= MISTAKES_MAX; mistakes += 1) {
    requests = mistakes < 2 ? wanted.requests(mistakes) : requests;
    const pairs = requests.flatMap((request) => wanted.bases.map((base) => ({ request, base }))).slice(0, PAIRS_MAX);
    for (const { request, base } of pairs) {
      const own = count(request.fault, base.fault);
      const fitting = keys.filter((key) => key.faults.length + own === mistakes);
      if (fitting.length === 0) continue;
      const signed = baseStrings({ ...scheme, base: base.templates }, request.request, wanted.parts);
      for (const bytes of signed) {
        for (const key of fitting) {
          const found = signatureOf(scheme, key, bytes, byLength, wanted.budget);
          if (found !== undefined) {
            return [
              ...faultsOf(request.fault, base.fault),
              ...key.faults,
              ...algorithmFaults(scheme, found),
              ...found.faults,
            ];
          }
          if (wanted.budget.exhausted) return undefined;
        }
      }
    }
  }
  return undefined;
}

interface Key {
  readonly key: string | Buffer;
  readonly faults: readonly Fault[];
}

function keysOf(scheme: HmacScheme | AsymmetricScheme, secrets: readonly SecretForm[]): Key[] {
  return secrets.flatMap(({ secret, fault }) => {
    const forms = scheme.scheme === 'hmac' ? keyForms(scheme, secret) : [{ key: secret, fault: undefined }];
    return forms.map((form) => ({ key: form.key, faults: faultsOf(fault, form.fault) }));
  });
}

/** The signature that this key makes of these bytes, by whichever algorithm has as many bytes. */
function signatureOf(
  scheme: HmacScheme | AsymmetricScheme,
  { key }: Key,
  signed: Uint8Array,
  byLength: ReadonlyMap<number, readonly SignatureForm[]>,
  budget: Budget,
): SignatureForm | undefined {
  for (const [length, signatures] of byLength) {
    if (scheme.scheme === 'asymmetric') {
      for (const signature of signatures) {
        if (!budget.spend(ASYMMETRIC_TRIES, signed.length)) return undefined;
        if (matches(scheme, String(key), [signed], [signature.bytes])) return signature;
      }
      continue;
    }
    const algorithm = ALGORITHM_OF_LENGTH.get(length);
    if (algorithm === undefined) continue;
    if (!budget.spend(1, signed.length)) return undefined;
    const digest = createHmac(algorithm, key).update(signed).digest();
    const found = signatures.find(({ bytes }) => timingSafeEqual(digest, bytes));
    if (found !== undefined) return found;
  }
  return undefined;
}

function algorithmFaults(scheme: HmacScheme | AsymmetricScheme, { bytes }: SignatureForm): Fault[] {
  const algorithm = ALGORITHM_OF_LENGTH.get(bytes.length);
  if (scheme.scheme !== 'hmac' || algorithm === undefined || algorithm === scheme.alg) return [];
  const text = `it is made with HMAC-${algorithm.toUpperCase()} instead of HMAC-${scheme.alg.toUpperCase()}`;
  return [{ code: 'SIGNATURE_ALGORITHM', text }];
}

function faultsOf(...faults: readonly (Fault | undefined)[]): Fault[] {
  return faults.filter((fault) => fault !== undefined);
}

function count(...faults: readonly (Fault | undefined)[]): number {
  return faultsOf(...faults).length;
}
