import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { durationBucket } from '../../../src/calls/duration-buckets.js';
import { Histogram } from '../../../src/calls/histogram.js';

describe('Histogram', () => {
  it('has no percentile without calls', () => {
    expect(new Histogram().percentileMs(0.95)).toBeNull();
  });

  it('says for every percentile at least the exact one, and at most 19 % more', () => {
    const durations = fc.array(fc.double({ min: 1, max: 600_000, noNaN: true }), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(durations, fc.constantFrom(0.01, 0.5, 0.95, 0.99, 1), (all, part) => {
        const histogram = new Histogram();
        for (const durationMs of all) histogram.add(durationBucket(durationMs), 1);
        const exact = all.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(all.length * part)) - 1]!;
        const read = histogram.percentileMs(part)!;
        expect(read).toBeGreaterThanOrEqual(exact);
        expect(read).toBeLessThanOrEqual(exact * 2 ** 0.25 + 1e-6);
      }),
    );
  });

  it('weighs a bucket by its calls, in whatever order they were added', () => {
    const histogram = new Histogram();
    histogram.add(durationBucket(1_000), 5);
    histogram.add(durationBucket(1), 95);
    expect(histogram.percentileMs(0.95)).toBeLessThan(2);
    expect(histogram.percentileMs(0.96)).toBeGreaterThan(1_000);
  });
});
