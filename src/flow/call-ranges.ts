import { millisecondRange } from '../executions/millisecond-range.js';

/** Where the executions of some calls are found: for each call, and the bounds of all of them, which leave out partitions. */
export interface CallRanges {
  readonly firstIds: readonly string[];
  readonly lastIds: readonly string[];
  readonly firstId: string;
  readonly lastId: string;
}

/** @param callIds one at least. */
export function callRanges(callIds: readonly string[]): CallRanges {
  const ranges = callIds.map(millisecondRange);
  const firstIds = ranges.map(({ firstId }) => firstId);
  const lastIds = ranges.map(({ lastId }) => lastId);
  return { firstIds, lastIds, firstId: firstIds.toSorted()[0]!, lastId: lastIds.toSorted().at(-1)! };
}
