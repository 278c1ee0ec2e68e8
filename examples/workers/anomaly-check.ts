import { defineWorker } from 'workhook/worker';
import { z } from 'zod';

const Readings = z.object({
  deviceId: z.string().min(1).max(200),
  /** Oldest first. */
  readings: z
    .array(z.object({ at: z.iso.datetime({ offset: true }), value: z.number().min(-1e100).max(1e100) }))
    .min(1)
    .max(10_000),
  /** Hard limits: a value outside is an anomaly whatever the others are. */
  limits: z.object({ min: z.number().optional(), max: z.number().optional() }).default({}),
  /** How many standard deviations from the mean are too far. */
  zScoreMax: z.number().positive().max(100).default(3),
});

/** Fewer readings than this give no honest standard deviation; then only the limits count. */
const READINGS_FOR_STATISTICS = 8;

type Cause = 'above-max' | 'below-min' | 'z-score';

/** Finds the readings of a device that lie outside fixed limits or too far from the mean of the others. */
export default defineWorker({
  id: 'anomaly-check',
  name: 'Anomaly check',
  description:
    'IoT: finds readings outside limits or too many standard deviations from the mean of the other readings.',
  input: Readings,
  timeoutMs: 10_000,
  run: ({ inputParams: { deviceId, readings, limits, zScoreMax } }) => {
    const values = readings.map((reading) => reading.value);
    const enough = values.length >= READINGS_FOR_STATISTICS;
    const statistics = statisticsOf(values);
    const anomalies = readings.flatMap(({ at, value }) => {
      const zScore = enough ? zScoreAgainstOthers(value, values.length, statistics) : null;
      const causes: Cause[] = [];
      if (limits.max !== undefined && value > limits.max) causes.push('above-max');
      if (limits.min !== undefined && value < limits.min) causes.push('below-min');
      if (zScore !== null && Math.abs(zScore) > zScoreMax) causes.push('z-score');
      return causes.length === 0 ? [] : [{ at, value, zScore: zScore === null ? null : finite(zScore), causes }];
    });
    return {
      deviceId,
      readings: readings.length,
      mean: statistics.mean,
      standardDeviation: Math.sqrt(statistics.sumOfSquares / values.length),
      usedZScore: enough,
      anomalies,
      status: anomalies.length === 0 ? 'normal' : 'anomalous',
    };
  },
});

interface Statistics {
  readonly mean: number;
  /** The sum of squared distances from the mean. */
  readonly sumOfSquares: number;
}

/** Welford's method: one pass, exact enough for long runs of large, close values. */
function statisticsOf(values: readonly number[]): Statistics {
  let mean = 0;
  let sumOfSquares = 0;
  values.forEach((value, index) => {
    const distance = value - mean;
    mean += distance / (index + 1);
    sumOfSquares += distance * (value - mean);
  });
  return { mean, sumOfSquares };
}

/**
 * How far a value lies from the mean of the *other* values, in their standard deviations. Measured against all
 * values, one outlier among n can never reach more than (n - 1) / √n, however wild it is.
 */
function zScoreAgainstOthers(value: number, count: number, { mean, sumOfSquares }: Statistics): number {
  const others = count - 1;
  const distance = value - mean;
  const othersMean = mean - distance / others;
  const othersSquares = Math.max(0, sumOfSquares - (distance * distance * count) / others);
  const deviation = Math.sqrt(othersSquares / others);
  // Steady readings differ by rounding only; that is no deviation to measure against.
  const noise = Number.EPSILON * count * Math.max(1, Math.abs(mean), Math.abs(value));
  if (Math.abs(value - othersMean) <= noise) return 0;
  return deviation <= noise
    ? Math.sign(value - othersMean) * Number.POSITIVE_INFINITY
    : (value - othersMean) / deviation;
}

/** JSON has no infinity: a reading that leaves a perfectly steady line gets the largest number with its sign. */
function finite(zScore: number): number {
  return Number.isFinite(zScore) ? zScore : Math.sign(zScore) * Number.MAX_VALUE;
}
