import { COLD_SHARD } from '../../calls/statistics-shard.js';
import { storeCalls, type StoreResult } from '../../calls/store-calls.js';
import type { Sql } from '../../db/database.js';
import type { PreparedReplay } from './prepare-replay.js';

const MARK = `
  with marked as (
    update calls c set replay_of = r.source from unnest($1::uuid[], $2::uuid[]) as r(id, source) where c.id = r.id
  )
  update executions e set worker_version = v.version
  from unnest($3::uuid[], $4::integer[]) as v(id, version) where e.id = v.id`;

/**
 * Stores replays as the ingress stores calls, in the caller's transaction. What only replays have is written beside it:
 * the statement of the accept knows nothing of them, and pays nothing.
 */
export async function storeReplays(
  sql: Sql,
  replays: readonly PreparedReplay[],
  retentionDays: number,
): Promise<readonly StoreResult[]> {
  const results = await storeCalls(
    sql,
    COLD_SHARD,
    replays.map(({ call }) => call),
    retentionDays,
  );
  const pinned = replays.flatMap(({ call, workerVersions }) =>
    call.executions.flatMap(({ executionId }, i) => {
      const version = workerVersions[i] ?? null;
      return version === null ? [] : [{ executionId, version }];
    }),
  );
  await sql.query(MARK, [
    replays.map(({ call }) => call.callId),
    replays.map(({ replayOf }) => replayOf),
    pinned.map(({ executionId }) => executionId),
    pinned.map(({ version }) => version),
  ]);
  return results;
}
