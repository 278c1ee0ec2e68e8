import type { Provider } from '../verify/provider/provider.js';
import { findProvider } from '../verify/provider/providers.js';
import type { ProviderDefinition } from './definition.js';

/** A user's own provider as statements read it beside its webhook: of the same moment, so of the same version. */
export interface OwnProviderRow {
  readonly id: string;
  readonly name: string;
  readonly definition: ProviderDefinition;
}

/** The column for a statement that selects `from webhooks w`. */
export const OWN_PROVIDER = `(select json_build_object('id', own.id, 'name', own.name, 'definition', own.definition)
      from providers own where own.id = w.auth_provider) as own_provider`;

/** What a webhook's provider stands for: a row of the built-in table, or what a user defined. */
export function senderOf(id: string | null, own: OwnProviderRow | null): Provider | undefined {
  if (id === null) return undefined;
  return own === null ? findProvider(id) : toProvider(own);
}

export function toProvider({ id, name, definition }: OwnProviderRow): Provider {
  return { ...definition, id, name };
}
