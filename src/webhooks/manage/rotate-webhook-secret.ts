import { requirePermission } from '../../access/permissions.js';
import type { Principal } from '../../access/principal.js';
import { type Outcome, refused } from '../../lib/user-error.js';
import { rotateSecret, type RotateSecretInput } from '../../secrets/rotate-secret.js';
import type { NewSecret, SecretDeps } from '../../secrets/secret-versions.js';
import { OWN_PROVIDER, type OwnProviderRow, senderOf } from '../providers/stored-provider.js';
import type { Provider } from '../verify/provider/provider.js';
import { senderSecretFaults } from './provider-rules.js';

/**
 * Rotates a webhook's secret. Where the sender makes the secret it must be brought along: one that is made here would
 * match nothing that the sender signs.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND.
 */
export async function rotateWebhookSecret(
  deps: SecretDeps,
  principal: Principal | undefined,
  input: RotateSecretInput,
): Promise<Outcome<NewSecret>> {
  requirePermission(principal, 'webhooks:rotate-secret');
  const sender = await readSender(deps, input.webhookId);
  const faults = sender === undefined ? [] : senderSecretFaults(sender, input.secret, ['secret']);
  return faults.length > 0 ? refused(...faults) : await rotateSecret(deps, principal, input);
}

async function readSender({ database }: SecretDeps, webhookId: string): Promise<Provider | undefined> {
  const { rows } = await database.pool.query<{ auth_provider: string | null; own_provider: OwnProviderRow | null }>(
    `select w.auth_provider, ${OWN_PROVIDER} from webhooks w where w.id = $1 and w.deleted_at is null`,
    [webhookId],
  );
  return rows[0] && senderOf(rows[0].auth_provider, rows[0].own_provider);
}
