import type { UserRole } from './access.entities.js';

/** What proved who calls. `system` is the process itself: its first start, its command line. */
export interface Credential {
  readonly type: 'api-token' | 'session' | 'system';
  /** The UUID of the token or session; for `system` the name of what acts. */
  readonly id: string;
}

/** Who calls the admin API. */
export interface Principal {
  /** A UUID. */
  readonly userId: string;
  readonly role: UserRole;
  readonly credential: Credential;
  /** Permissions that the credential is narrowed to; an empty list is all that the role allows. */
  readonly scopes: readonly string[];
}

/**
 * The process acting for a user whom nobody asked: what it does stands in the audit log under this name.
 *
 * @param ownerId the owner, who then owns what is created.
 */
export function systemPrincipal(ownerId: string, actor: 'startup' | 'command-line' | 'outbound-guard'): Principal {
  return { userId: ownerId, role: 'owner', credential: { type: 'system', id: actor }, scopes: [] };
}
