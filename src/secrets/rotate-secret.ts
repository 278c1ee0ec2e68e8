import { recordAudit } from '../access/audit.js';
import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import { formatId } from '../lib/ids.js';
import { type Outcome, succeeded, type UserError } from '../lib/user-error.js';
import { planRotation } from './plan-rotation.js';
import { newSecret, ownSecretFaults } from './secret-rules.js';
import {
  addSecretVersion,
  isInUse,
  lockWebhook,
  type NewSecret,
  noteSecretsChanged,
  readSecretVersions,
  rotatable,
  type SecretDeps,
} from './secret-versions.js';

/** A rotation that takes longer than this has been forgotten, and two secrets open the webhook. */
const OVERLAP_MS_MAX = 30 * 86_400_000;

export interface RotateSecretInput {
  /** The webhook's UUID. */
  readonly webhookId: string;
  /** How long the secret that is active now stays valid, in milliseconds; 0 ends it at once. */
  readonly overlapMs: number;
  /** A secret that the sender made; without it a new one is made here. */
  readonly secret?: string | undefined;
}

/**
 * Gives a webhook a new secret and lets the old one retire.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND.
 */
export async function rotateSecret(
  deps: SecretDeps,
  principal: Principal | undefined,
  input: RotateSecretInput,
): Promise<Outcome<NewSecret>> {
  requirePermission(principal, 'webhooks:rotate-secret');
  const { webhookId, overlapMs } = input;
  const userErrors = [
    ...overlapFaults(overlapMs),
    ...(input.secret === undefined ? [] : ownSecretFaults(['secret'], input.secret)),
  ];
  if (userErrors.length > 0) return { ok: false, userErrors };
  return await deps.database.transaction(async (em) => {
    await lockWebhook(em, webhookId);
    const versions = await readSecretVersions(em, webhookId);
    const secret = input.secret ?? newSecret();
    if (isInUse(deps, versions, secret)) return { ok: false, userErrors: [inUse(['secret'])] };

    const nowMs = deps.clock.nowMs();
    const plan = planRotation(nowMs, versions.map(rotatable), overlapMs);
    for (const { id, expiresAtMs } of plan.expiries) {
      const row = versions.find((version) => version.id === id)!;
      row.expiresAt = new Date(expiresAtMs);
      if (expiresAtMs <= nowMs) row.revokedAt = new Date(nowMs); // "now" must not depend on the other processes' clocks
    }
    const added = addSecretVersion(em, deps, webhookId, (versions[0]?.version ?? 0) + 1, secret);
    await em.flush();
    await noteSecretsChanged(em, webhookId);
    const previousExpiresAt = plan.previousExpiresAtMs === null ? null : new Date(plan.previousExpiresAtMs);
    await recordAudit(em, principal, {
      action: 'webhook.secret-rotated',
      subjectId: formatId('webhook', webhookId),
      details: {
        secretId: formatId('secretVersion', added.id),
        previousExpiresAt: previousExpiresAt?.toISOString() ?? null,
        broughtAlong: input.secret !== undefined,
      },
    });
    return succeeded({ secretId: added.id, secret, previousExpiresAt });
  });
}

/** A secret that is already in use: a rotation to it would change nothing and look as if it had. */
export function inUse(field: readonly string[]): UserError {
  return { field, message: 'This is a secret that the webhook has already.', code: 'ALREADY_IN_USE' };
}

function overlapFaults(overlapMs: number): readonly UserError[] {
  if (overlapMs >= 0 && overlapMs <= OVERLAP_MS_MAX) return [];
  return [{ field: ['overlap'], message: 'An overlap lasts from 0 to 30 days.', code: 'OUT_OF_RANGE' }];
}
