import type { Sql } from '../db/database.js';
import { GroupedReads } from '../lib/grouped-reads.js';
import { findFirstCalls, type FirstCall, type IdempotencyKey, type Repeat } from './idempotency.js';

/**
 * Finds whether a call that is about to be turned away repeats one that was stored. However many ask, one statement
 * after another looks for all of them: a filter may turn away most of what a sender sends, each with a delivery id.
 */
export class RepeatFinder {
  readonly #reads: GroupedReads<FirstCall>;

  /** @param retentionDays beyond which a stored call has no repeats; 0 keeps everything. */
  constructor(sql: Sql, retentionDays: number) {
    this.#reads = new GroupedReads({ read: (keys) => findFirstCalls(sql, keys, retentionDays) });
  }

  async find({ keyHash, bodyHash }: IdempotencyKey): Promise<Repeat | undefined> {
    const first = await this.#reads.get(keyHash.toString('hex'));
    if (first === undefined) return undefined;
    const { callId, executions } = first;
    return { callId, executions, sameBody: first.bodyHash.equals(bodyHash) };
  }
}
