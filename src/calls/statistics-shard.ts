import { randomInt } from 'node:crypto';

/** Copies of each counter. Processes that write to different ones don't wait for each other's row locks. */
const STATISTICS_SHARDS = 16;

/** Chooses the shard that a process writes to for as long as it lives. */
export function chooseStatisticsShard(): number {
  return randomInt(STATISTICS_SHARDS);
}

/** The shard of what operators do, seldom enough that all processes share it. No process that runs calls waits for it. */
export const COLD_SHARD = STATISTICS_SHARDS;
