import type { Encoding, Extract } from './provider.js';

/** More than any sender sends while secrets roll; each costs a comparison, or a verification with a public key. */
const SIGNATURES_MAX = 16;

/** What is well-formed in an encoding. */
export const ENCODED: Readonly<Record<Encoding, RegExp>> = {
  hex: /^(?:[0-9a-f]{2})+$/i,
  base64: /^[A-Za-z0-9+/]+={0,2}$/,
};

/** The items of a signature's header, as names and values; one without a name when there is nothing to take apart. */
export function itemsOf(header: string, extract: Extract): [name: string, value: string][] {
  const items = extract.item === undefined ? [header] : header.split(extract.item);
  return items.map((item) => {
    const at = item.indexOf(extract.kv);
    return at === -1 ? ['', item] : [item.slice(0, at).trim(), item.slice(at + extract.kv.length).trim()];
  });
}

/** The texts that stand where signatures do in a header. */
export function signatureTexts(header: string, extract: Extract | undefined): string[] {
  if (extract === undefined) return [header];
  const texts = itemsOf(header, extract).flatMap(([name, value]) => (name === extract.field ? [value] : []));
  return texts.slice(0, SIGNATURES_MAX);
}

/** An item of a signature's header, its time for example. */
export function itemNamed(header: string, extract: Extract, name: string): string | undefined {
  return itemsOf(header, extract).find(([candidate]) => candidate === name)?.[1];
}

/** The bytes of those texts that are well-formed. */
export function decodeSignatures(texts: readonly string[], enc: Encoding): Buffer[] {
  return texts.filter((text) => ENCODED[enc].test(text)).map((text) => Buffer.from(text, enc));
}

/** A header as the sender would write it: the inverse of the two above, for test calls. */
export function composeHeader(
  extract: Extract | undefined,
  signature: string,
  time?: readonly [string, string],
): string {
  if (extract === undefined) return signature;
  const item = `${extract.field}${extract.kv}${signature}`;
  return time === undefined ? item : `${time[0]}${extract.kv}${time[1]}${extract.item ?? ''}${item}`;
}
