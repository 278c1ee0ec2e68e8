import { bucketUpperMs } from './duration-buckets.js';

/** How many calls took how long, by the buckets of `duration-buckets.ts`. */
export class Histogram {
  readonly #calls = new Map<number, number>();
  #total = 0;

  add(bucket: number, calls: number): void {
    this.#calls.set(bucket, (this.#calls.get(bucket) ?? 0) + calls);
    this.#total += calls;
  }

  /**
   * The duration that this part of the calls did not exceed: the upper bound of the bucket that the call at that rank
   * (nearest-rank method) lies in, so at most 19 % too high. `null` without calls.
   *
   * @param part from 0 to 1: 0.95 is the 95th percentile.
   */
  percentileMs(part: number): number | null {
    let rank = Math.max(1, Math.ceil(this.#total * part));
    for (const bucket of [...this.#calls.keys()].toSorted((a, b) => a - b)) {
      rank -= this.#calls.get(bucket)!;
      if (rank <= 0) return bucketUpperMs(bucket);
    }
    return null;
  }
}
