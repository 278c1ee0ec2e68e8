import type { Fault } from './diagnosis.js';
import type { Rule } from './rules.js';
import { itemsOf } from '../verify/provider/extract.js';

/** A text that stands in a header as the credential, and what is wrong with where it stands. */
export interface Presented {
  readonly text: string;
  readonly faults: readonly Fault[];
}

/** Prefixes that may be repeated to people: what else stands there may be the beginning of a secret. */
const KNOWN_PREFIX =
  /^(?:sha1|sha256|sha512|hmac-sha256|hmac|v0|v1|t|ts|h1|signature|sig|bearer|basic|token|apikey|key)(?:=|:|,| )\s*/i;

/** The texts that may be the credential in a header's value: that which is right, if it is there, first. */
export function presentedTexts(value: string, rule: Rule): Presented[] {
  const { scheme } = rule;
  const extract = scheme.scheme === 'token' ? undefined : scheme.extract;
  if (extract === undefined) return afterPrefix(value, rule);
  const form = `${extract.field}${extract.kv}`;
  if (extract.item === undefined) return afterPrefix(value, { ...rule, prefix: form });
  const items = itemsOf(value, extract);
  const right = items.filter(([name]) => name === extract.field).map(([, text]) => ({ text, faults: [] }));
  const others = items
    .filter(([name, text]) => name !== extract.field && text.length >= SIGNATURE_CHARACTERS_MIN)
    .map(([name, text]) => ({ text, faults: [itemFault(name, form)] }));
  const texts = [...right, ...others].slice(0, TEXTS_MAX);
  return texts.length > 0 ? texts : [{ text: value, faults: [itemFault('', form)] }];
}

/** More than any sender sends while secrets roll. */
const TEXTS_MAX = 16;

/** What is shorter is a time or a version. */
const SIGNATURE_CHARACTERS_MIN = 20;

function itemFault(name: string, form: string): Fault {
  if (name === '') return { code: 'SIGNATURE_ITEM_MISSING', text: `"${form}" is missing before it` };
  const known = KNOWN_PREFIX.test(`${name}=`) ? `"${name}="` : 'something else';
  return { code: 'SIGNATURE_ITEM_MISSING', text: `it stands behind ${known} instead of "${form}"` };
}

function afterPrefix(value: string, { prefix, anyCase }: Rule): Presented[] {
  const start = value.slice(0, prefix.length);
  if (start === prefix || (anyCase && start.toLowerCase() === prefix.toLowerCase())) {
    const rest = value.slice(prefix.length);
    const known = prefix === '' ? KNOWN_PREFIX.exec(rest)?.[0] : undefined;
    const unasked: Presented[] =
      known === undefined
        ? []
        : [{ text: rest.slice(known.length), faults: [{ code: 'PREFIX_WRONG', text: `"${known}" stands before it` }] }];
    return [{ text: rest, faults: [] }, ...unasked];
  }
  const texts: Presented[] = [
    { text: value, faults: [{ code: 'PREFIX_MISSING', text: `"${prefix}" is missing before it` }] },
  ];
  const wrong = (found: string): Fault => ({
    code: 'PREFIX_WRONG',
    text: `"${found}" stands before it instead of "${prefix}"`,
  });
  const known = KNOWN_PREFIX.exec(value)?.[0];
  if (start.toLowerCase() === prefix.toLowerCase()) {
    texts.unshift({ text: value.slice(prefix.length), faults: [wrong(start)] });
  } else if (known !== undefined) {
    texts.unshift({ text: value.slice(known.length), faults: [wrong(known)] });
  }
  // Some send more than the signature: t=1700000000,v1=…
  for (const item of value.includes(',') ? value.split(',', TEXTS_MAX) : []) {
    const at = item.indexOf('=');
    const name = item.slice(0, at + 1).trim();
    if (at > 0 && at < 12 && item.length - at > SIGNATURE_CHARACTERS_MIN) {
      const said = KNOWN_PREFIX.test(name) ? wrong(name) : texts[0]!.faults[0]!;
      texts.push({ text: item.slice(at + 1).trim(), faults: [said] });
    }
  }
  return texts;
}
