import { requirePermission } from '../../access/permissions.js';
import type { Principal } from '../../access/principal.js';
import { type Outcome, refused } from '../../lib/user-error.js';
import { expireSecret } from '../../secrets/expire-secret.js';
import { regenerateSecret, type RegenerateSecretInput } from '../../secrets/regenerate-secret.js';
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
  const sender = await readSender(deps, { webhookId: input.webhookId });
  const faults = sender === undefined ? [] : senderSecretFaults(sender, input.secret, ['secret']);
  return faults.length > 0 ? refused(...faults) : await rotateSecret(deps, principal, input);
}

/**
 * Replaces a webhook's secret at once. The sender's own must be brought along as for a rotation.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND.
 */
export async function regenerateWebhookSecret(
  deps: SecretDeps,
  principal: Principal | undefined,
  input: RegenerateSecretInput,
): Promise<Outcome<NewSecret>> {
  requirePermission(principal, 'webhooks:rotate-secret');
  const sender = await readSender(deps, { webhookId: input.webhookId });
  const faults = sender === undefined ? [] : senderSecretFaults(sender, input.secret, ['secret']);
  return faults.length > 0 ? refused(...faults) : await regenerateSecret(deps, principal, input);
}

/**
 * Ends a secret of a webhook: a retiring one, or the active one that its sender made.
 *
 * @param input.secretId the SecretVersion's UUID.
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND.
 */
export async function expireWebhookSecret(
  deps: SecretDeps,
  principal: Principal | undefined,
  { secretId }: { readonly secretId: string },
): Promise<Outcome<{ readonly webhookId: string }>> {
  requirePermission(principal, 'webhooks:rotate-secret');
  const sender = await readSender(deps, { secretId });
  const mayEndActive = sender !== undefined && sender.secretFrom !== 'user';
  return await expireSecret(deps, principal, { secretId, mayEndActive });
}

async function readSender(
  { database }: SecretDeps,
  of: { readonly webhookId: string } | { readonly secretId: string },
): Promise<Provider | undefined> {
  const [where, id] =
    'webhookId' in of
      ? ['w.id = $1', of.webhookId]
      : ['w.id = (select s.webhook_id from webhook_secrets s where s.id = $1)', of.secretId];
  const { rows } = await database.pool.query<{ auth_provider: string | null; own_provider: OwnProviderRow | null }>(
    `select w.auth_provider, ${OWN_PROVIDER} from webhooks w where ${where} and w.deleted_at is null`,
    [id],
  );
  return rows[0] && senderOf(rows[0].auth_provider, rows[0].own_provider);
}
