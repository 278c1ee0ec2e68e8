import type { AuthenticationMethod } from '../webhook.entity.js';
import { METHOD_DEFAULTS } from './method-defaults.js';
import { OWN_PROVIDER, type OwnProviderRow, senderOf } from '../providers/stored-provider.js';
import { headerOf } from './provider/providers.js';
import type { Authentication } from './verify-credential.js';

/** The columns of `webhooks` that say how callers authenticate. */
export interface AuthenticationRow {
  readonly auth_method: AuthenticationMethod;
  readonly auth_header_name: string | null;
  readonly auth_header_prefix: string | null;
  readonly auth_provider: string | null;
  readonly own_provider: OwnProviderRow | null;
}

/** Those columns, for a statement that selects `from webhooks w`. */
export const AUTHENTICATION_COLUMNS = `w.auth_method, w.auth_header_name, w.auth_header_prefix, w.auth_provider, ${OWN_PROVIDER}`;

/** Fills the method's defaults in. */
export function toAuthentication(row: AuthenticationRow): Authentication {
  const defaults = METHOD_DEFAULTS[row.auth_method];
  const provider = senderOf(row.auth_provider, row.own_provider);
  const headerName = provider === undefined ? (row.auth_header_name ?? defaults.headerName) : headerOf(provider);
  return {
    method: row.auth_method,
    headerName: headerName.toLowerCase(),
    headerPrefix: row.auth_header_prefix ?? defaults.headerPrefix,
    provider,
  };
}
