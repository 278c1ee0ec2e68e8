import type { AuthenticationMethod } from '../webhook.entity.js';

/** How callers of a webhook are to authenticate, as its user says it. */
export interface AuthenticationInput {
  readonly method: AuthenticationMethod;
  /** Without it the method's default; CUSTOM_HEADER has none. */
  readonly headerName?: string | null | undefined;
  /** Without it the method's default; empty for none. */
  readonly headerPrefix?: string | null | undefined;
  /** The sender's id in the table of providers; for PROVIDER, and only for it. */
  readonly provider?: string | null | undefined;
  /** A secret that the sender made; without it a new one is made here. */
  readonly secret?: string | null | undefined;
}
