import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isValid, planRotation, type RotatableSecret, type RotationPlan } from '../../../src/secrets/plan-rotation.js';

const NOW = 1_800_000_000_000;
const DAY = 86_400_000;

const active = (version: number): RotatableSecret => ({
  id: `s${version}`,
  version,
  expiresAtMs: null,
  revoked: false,
});
const retiring = (version: number, inMs: number): RotatableSecret => ({ ...active(version), expiresAtMs: NOW + inMs });

/** At most one is active, as rotations leave it. */
const history = fc
  .array(fc.record({ expiresInMs: fc.integer({ min: -DAY, max: 3 * DAY }), revoked: fc.boolean() }), { maxLength: 8 })
  .chain((old) =>
    fc.boolean().map((hasActive) => {
      const versions = old.map(({ expiresInMs, revoked }, i) => ({ ...retiring(i + 1, expiresInMs), revoked }));
      return hasActive ? [...versions, active(versions.length + 1)] : versions;
    }),
  );

const overlap = fc.integer({ min: 0, max: 30 * DAY });

function after(versions: readonly RotatableSecret[], plan: RotationPlan): RotatableSecret[] {
  return versions.map((secret) => ({
    ...secret,
    expiresAtMs: plan.expiries.find(({ id }) => id === secret.id)?.expiresAtMs ?? secret.expiresAtMs,
  }));
}

const everyPlan = (
  holds: (versions: readonly RotatableSecret[], planned: readonly RotatableSecret[], overlapMs: number) => boolean,
): void =>
  fc.assert(
    fc.property(history, overlap, (versions, overlapMs) =>
      holds(versions, after(versions, planRotation(NOW, versions, overlapMs)), overlapMs),
    ),
  );

describe('a rotation', () => {
  it('lets the active secret retire after the overlap', () => {
    expect(planRotation(NOW, [active(1)], DAY)).toEqual({
      expiries: [{ id: 's1', expiresAtMs: NOW + DAY }],
      previousExpiresAtMs: NOW + DAY,
    });
  });

  it('ends it at once without an overlap', () => {
    expect(planRotation(NOW, [active(1)], 0).previousExpiresAtMs).toBe(NOW);
  });

  it('keeps the end that a retiring secret was given', () => {
    expect(planRotation(NOW, [retiring(1, 500), active(2)], DAY).expiries).toEqual([
      { id: 's2', expiresAtMs: NOW + DAY },
    ]);
  });

  it('ends the oldest when there would be three old ones', () => {
    expect(planRotation(NOW, [retiring(1, 900), retiring(2, 500), active(3)], DAY).expiries).toEqual([
      { id: 's3', expiresAtMs: NOW + DAY },
      { id: 's1', expiresAtMs: NOW },
    ]);
  });

  it('has no previous secret to tell of when none was active', () => {
    expect(planRotation(NOW, [retiring(1, 500)], DAY).previousExpiresAtMs).toBeNull();
  });

  it('never leaves an old secret active, nor more than two valid', () => {
    everyPlan((_, planned) => {
      const valid = planned.filter((secret) => isValid(secret, NOW));
      return valid.length <= 2 && valid.every((secret) => secret.expiresAtMs !== null);
    });
  });

  it('never makes a secret last longer than it would have, nor than the overlap', () => {
    everyPlan((versions, planned, overlapMs) =>
      planned.every((secret, i) => {
        const before = versions[i]!;
        return before.expiresAtMs === null
          ? secret.expiresAtMs! <= NOW + overlapMs
          : secret.expiresAtMs! <= before.expiresAtMs;
      }),
    );
  });

  it('never brings an ended secret back', () => {
    everyPlan((versions, planned) => planned.every((secret, i) => isValid(versions[i]!, NOW) || !isValid(secret, NOW)));
  });

  it('keeps the newest of those that are still valid', () => {
    everyPlan((versions, planned, overlapMs) => {
      const wouldBe = versions
        .filter((secret) => isValid(secret, NOW) && (secret.expiresAtMs !== null || overlapMs > 0))
        .toSorted((a, b) => b.version - a.version)
        .slice(0, 2);
      return wouldBe.every(({ id }) =>
        isValid(
          planned.find((secret) => secret.id === id)!,
          NOW,
        ),
      );
    });
  });
});
