import type { EventPlace } from './read-event-places.js';

/** Executions whose place is remembered. */
const KNOWN_MAX = 10_000;

interface Known {
  /** The last event that was told. */
  readonly seq: number;
  /** The newest transaction of the events up to it. */
  readonly xid: bigint;
}

/**
 * Puts events of many executions in one order in which nothing that is committed later can come to stand before what
 * was told already, and in which each execution's own events stay in theirs.
 *
 * Two transactions that change one execution wait for each other in the order of its events, which need not be that of
 * their ids. So an event counts as no older than those before it in its execution.
 */
export class EventOrder {
  #told: EventPlace;
  readonly #known = new Map<string, Known>();

  /** @param told the event behind which to begin. */
  constructor(told: EventPlace) {
    this.#told = told;
  }

  /** How far an execution was told, for what is behind to be read. */
  seqOf(executionId: string): number {
    return this.#known.get(executionId)?.seq ?? 0;
  }

  /**
   * What is to be told now, in order, and the executions that have more which can't be told yet.
   *
   * @param read the events behind {@link seqOf} of each execution.
   * @param horizon the oldest transaction that is still under way.
   */
  next(
    read: Iterable<readonly EventPlace[]>,
    horizon: bigint,
  ): { readonly due: EventPlace[]; readonly waiting: ReadonlySet<string> } {
    const due: EventPlace[] = [];
    const waiting = new Set<string>();
    for (const places of read) {
      for (const place of this.#inOrder(places)) {
        if (place.xid >= horizon) waiting.add(place.executionId);
        else if (compare(place, this.#told) > 0) due.push(place);
        else this.#remember(place);
      }
    }
    return { due: due.toSorted(compare), waiting };
  }

  /** This one was told, and with it all before it. */
  told(place: EventPlace): void {
    this.#told = place;
    this.#remember(place);
  }

  /** The first event is not stored: it comes with the second one. */
  #inOrder(places: readonly EventPlace[]): EventPlace[] {
    const [first] = places;
    if (first === undefined) return [];
    let xid = this.#known.get(first.executionId)?.xid ?? 0n;
    const all = first.seq === 2 ? [{ ...first, seq: 1 }, ...places] : places;
    return all.map((place) => {
      if (place.xid > xid) ({ xid } = place);
      return { ...place, xid };
    });
  }

  #remember({ executionId, seq, xid }: EventPlace): void {
    this.#known.delete(executionId); // to the end: the one that was told longest ago is forgotten first
    this.#known.set(executionId, { seq, xid });
    if (this.#known.size > KNOWN_MAX) this.#known.delete(this.#known.keys().next().value!);
  }
}

function compare(a: EventPlace, b: EventPlace): number {
  if (a.xid !== b.xid) return a.xid < b.xid ? -1 : 1;
  if (a.executionId !== b.executionId) return a.executionId < b.executionId ? -1 : 1;
  return a.seq - b.seq;
}
