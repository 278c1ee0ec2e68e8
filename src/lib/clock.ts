/** Time, as an argument: what depends on it can then be tried at any moment. */
export interface Clock {
  /** Wall-clock time, Unix milliseconds. For what people and other systems see; leases use the database's. */
  nowMs(): number;
  /** Milliseconds on a clock that never steps back. For time-outs and durations. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
