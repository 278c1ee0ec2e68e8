/** One secret version, as far as a rotation needs to know it. */
export interface RotatableSecret {
  readonly id: string;
  /** Goes up by one with each secret of a webhook. */
  readonly version: number;
  /** Unix milliseconds; `null` while it is active. */
  readonly expiresAtMs: number | null;
  readonly revoked: boolean;
}

export interface RotationPlan {
  /** Versions that get a new end, each no later than the one they had. Unix milliseconds. */
  readonly expiries: readonly { readonly id: string; readonly expiresAtMs: number }[];
  /** When the secret that was active until now ends; `null` when there was none. */
  readonly previousExpiresAtMs: number | null;
}

/** So many old secrets are valid beside the new one: whoever rotates more often than senders follow ends the oldest. */
const OLD_SECRETS_MAX = 2;

/** Whether a secret may be presented at a moment. */
export function isValid(secret: RotatableSecret, nowMs: number): boolean {
  return !secret.revoked && (secret.expiresAtMs === null || secret.expiresAtMs > nowMs);
}

/**
 * Decides what becomes of the old secrets when a new one takes over.
 *
 * What was active retires after `overlapMs`. What already retires keeps its own end, which its user was told. Of all
 * that would still be valid, the two newest are kept and the others end now.
 *
 * @param overlapMs 0 ends what was active at once.
 */
export function planRotation(nowMs: number, versions: readonly RotatableSecret[], overlapMs: number): RotationPlan {
  const valid = versions.filter((secret) => isValid(secret, nowMs)).toSorted((a, b) => b.version - a.version);
  let kept = 0;
  const expiries = valid.flatMap((secret) => {
    let expiresAtMs = secret.expiresAtMs ?? nowMs + overlapMs;
    if (expiresAtMs > nowMs && (kept += 1) > OLD_SECRETS_MAX) expiresAtMs = nowMs;
    return expiresAtMs === secret.expiresAtMs ? [] : [{ id: secret.id, expiresAtMs }];
  });
  const previous = valid.find((secret) => secret.expiresAtMs === null);
  const previousEnd = expiries.find(({ id }) => id === previous?.id);
  return { expiries, previousExpiresAtMs: previousEnd?.expiresAtMs ?? null };
}
