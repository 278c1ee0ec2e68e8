import { createHash } from 'node:crypto';
import { headerValues } from '../incoming-headers.js';
import { parseUntrusted, valuesAt } from './json-path.js';
import type { Provider } from './provider.js';

/** Longer than any sender's; a longer one is kept by its hash. */
const ID_CHARACTERS_MAX = 200;

/**
 * By what a delivery is known when its sender sends it again: the sender's own id, or the hash of the body where it has
 * none. Call it only for a request that was verified.
 *
 * @param inputParams the body as it was parsed already, to save doing it again.
 * @returns `undefined` when the sender gives nothing to know it by.
 */
export function deliveryIdOf(
  { dedup }: Pick<Provider, 'dedup'>,
  rawHeaders: readonly string[],
  body: Uint8Array,
  inputParams?: unknown,
): string | undefined {
  const first = (name: string): string | undefined => headerValues(rawHeaders, name.toLowerCase())[0];
  for (const name of dedup.headers ?? []) {
    const id = first(name);
    if (id !== undefined && id !== '')
      return bounded(dedup.within === undefined ? id : `${id} ${first(dedup.within) ?? ''}`);
  }
  if (dedup.body !== undefined) {
    const document = inputParams ?? parseUntrusted(body);
    const [ids, ...others] = dedup.body.map((path) => valuesAt(document, path).filter(isId).map(String));
    if (ids!.length > 0) return bounded([ids!, ...others].flat().join(' ')); // a batch comes again as the same batch
  }
  return dedup.hash === true ? hashed(body) : undefined;
}

function isId(value: unknown): value is string | number {
  return (typeof value === 'string' && value !== '') || typeof value === 'number';
}

function bounded(id: string): string {
  return id.length <= ID_CHARACTERS_MAX ? id : hashed(id);
}

function hashed(data: string | Uint8Array): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}
