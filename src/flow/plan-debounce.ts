/** How a webhook debounces: of the calls of one lane that come in quick succession only the last one runs. */
export interface Debounce {
  /** A call runs when no other one came for this long, in milliseconds. */
  readonly quietMs: number;
  /** The longest that a stream of calls puts its last one off, from the first one on, in milliseconds. */
  readonly delayMsMax: number;
}

/** A call that a release sees for the first time. */
export interface NewCall {
  readonly callId: string;
  /** Hexadecimal; empty for none. */
  readonly lane: string;
  readonly acceptedAtMs: number;
}

/** The last call of its lane so far. */
export interface StandingCall extends NewCall {
  /** When the first of the calls came that it took the place of. */
  readonly burstAtMs: number;
  /** When it is to run. */
  readonly dueAtMs: number;
}

export interface DebouncePlan {
  /** New calls that stand, in their order. */
  readonly standing: readonly StandingCall[];
  /** Calls that never run, each with the one that took its place. */
  readonly superseded: readonly { readonly callId: string; readonly by: string }[];
}

/**
 * Says which calls stand and when they are due. It depends on the calls' own times only, not on when it is asked: a
 * call whose time had come when the next one came stands, also when nobody looked at either of them until later.
 *
 * @param newest the last call that stands in each lane and is not running yet.
 * @param fresh in the order of their acceptance.
 */
export function planDebounce(
  { quietMs, delayMsMax }: Debounce,
  newest: readonly StandingCall[],
  fresh: readonly NewCall[],
): DebouncePlan {
  const lastOf = new Map(newest.map((call) => [call.lane, call]));
  const standing = new Map<string, StandingCall>();
  const superseded: { callId: string; by: string }[] = [];
  for (const call of fresh) {
    const last = lastOf.get(call.lane);
    const joins = last !== undefined && call.acceptedAtMs < last.dueAtMs;
    if (joins) {
      superseded.push({ callId: last.callId, by: call.callId });
      standing.delete(last.callId);
    }
    const burstAtMs = joins ? last.burstAtMs : call.acceptedAtMs;
    const dueAtMs = Math.min(call.acceptedAtMs + quietMs, burstAtMs + delayMsMax);
    const stands = { ...call, burstAtMs, dueAtMs };
    standing.set(call.callId, stands);
    lastOf.set(call.lane, stands);
  }
  return { standing: [...standing.values()], superseded };
}
