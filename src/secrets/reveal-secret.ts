import { recordAudit } from '../access/audit.js';
import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import { AppError } from '../errors.js';
import { formatId } from '../lib/ids.js';
import { SecretVersionEntity } from './secret-version.entity.js';
import { openSecret, type SecretDeps } from './secret-versions.js';

/** More than a person looks at; less than somebody with a stolen session wants. */
const REVEALS_PER_MINUTE_MAX = 20;

/**
 * Shows a webhook's active secret again. It is recorded who saw it, and a user sees 20 a minute at most; the process
 * itself, which prints an example when it starts, is not held up.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, RATE_LIMITED.
 */
export async function revealSecret(
  deps: SecretDeps,
  principal: Principal | undefined,
  input: { readonly webhookId: string },
): Promise<{ readonly secretId: string; readonly secret: string }> {
  requirePermission(principal, 'webhooks:reveal-secret');
  const { webhookId } = input;
  return await deps.database.transaction(async (em) => {
    const there = await em.execute<unknown[]>('select 1 from webhooks where id = ? and deleted_at is null', [
      webhookId,
    ]);
    const row = await em.findOne(
      SecretVersionEntity,
      { webhookId, revokedAt: null, expiresAt: null },
      { orderBy: { version: 'desc' } },
    );
    if (there.length === 0 || row === null) throw new AppError('NOT_FOUND', 'There is no such webhook.');
    const secret = openSecret(deps.keyring, row);
    await recordAudit(em, principal, {
      action: 'webhook.secret-revealed',
      subjectId: formatId('webhook', webhookId),
      details: { secretId: formatId('secretVersion', row.id) },
    });
    if (principal.credential.type === 'system') return { secretId: row.id, secret };
    // Counted behind the log's lock, so that requests at the same time can't each be the last one allowed.
    const [revealed] = await em.execute<{ count: number }[]>(
      `select count(*)::integer as count from audit_events
       where action = 'webhook.secret-revealed' and user_id = ? and credential not like 'system:%'
         and at > clock_timestamp() - interval '1 minute'`,
      [principal.userId],
    );
    if (revealed!.count > REVEALS_PER_MINUTE_MAX) {
      throw new AppError('RATE_LIMITED', `At most ${REVEALS_PER_MINUTE_MAX} secrets are shown a minute.`, {
        retryable: true,
        retryAfterMs: 60_000,
      });
    }
    return { secretId: row.id, secret };
  });
}
