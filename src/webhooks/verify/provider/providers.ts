import type { Provider } from './provider.js';
import { BODY_SIGNED } from './senders/body-signed.js';
import { OTHERWISE_PROVEN } from './senders/otherwise-proven.js';
import { TIME_SIGNED } from './senders/time-signed.js';

/** All senders, in the order of their ids. Senders are set up by it: it may grow and not change. */
export const PROVIDERS: readonly Provider[] = [...BODY_SIGNED, ...TIME_SIGNED, ...OTHERWISE_PROVEN].toSorted((a, b) =>
  a.id < b.id ? -1 : 1,
);

const BY_ID: ReadonlyMap<string, Provider> = new Map(PROVIDERS.map((provider) => [provider.id, provider]));

export function findProvider(id: string): Provider | undefined {
  return BY_ID.get(id);
}

/** The header that carries the secret itself, if one does: it must not be recorded. */
export function tokenHeaderOf(provider: Provider): string | undefined {
  for (const scheme of provider.schemes) {
    if (scheme.scheme === 'token' && scheme.from === 'header') return scheme.name.toLowerCase();
  }
  return undefined;
}

/** The header by which a sender proves itself, for people; empty when the proof stands in the body. */
export function headerOf(provider: Provider): string {
  const [scheme] = provider.schemes;
  if (scheme.scheme !== 'token') return scheme.header;
  return scheme.from === 'header' ? scheme.name : '';
}
