import { beginRound, type RoundResult } from '../callbacks/replay-callback.js';
import { COLD_SHARD } from '../calls/statistics-shard.js';
import { isDataFault } from '../db/data-fault.js';
import type { Sql } from '../db/database.js';
import { cancelOne } from '../executions/cancel.js';
import { retryOne, type RetryResult, type WorkerVersionChoice } from '../executions/retry.js';
import { formatId, type IdKind } from '../lib/ids.js';
import { prepareReplay, type PreparedReplay } from '../webhooks/replay/prepare-replay.js';
import type { ReplayDeps } from '../webhooks/replay/replay-call.js';
import { readReplaySources } from '../webhooks/replay/replay-source.js';
import { storeReplays } from '../webhooks/replay/store-replays.js';
import type { BulkFailure, BulkFilter, BulkKind } from './bulk-operation.js';

/** What became of a page. What needed nothing to be done counts as neither. */
export interface PageResult {
  readonly succeeded: number;
  readonly failures: readonly BulkFailure[];
}

/** What became of one: `nothing` was left to do. */
type ItemResult = 'done' | 'nothing' | { readonly reason: string };

/** A webhook that changes while its calls are replayed is looked up again this often. */
const STALE_RETRIES_MAX = 3;

const NOUNS: Readonly<Record<BulkKind, IdKind>> = {
  REPLAY: 'call',
  RETRY: 'execution',
  CANCEL: 'execution',
  REPLAY_CALLBACKS: 'callback',
};

export interface PageTask {
  readonly kind: BulkKind;
  readonly filter: BulkFilter;
  readonly workerVersion: WorkerVersionChoice;
}

/** Does a page in the caller's transaction: it is done with the operation's progress, or not at all. */
export async function doPage(
  sql: Sql,
  deps: ReplayDeps,
  { kind, filter, workerVersion }: PageTask,
  ids: readonly string[],
): Promise<PageResult> {
  if (kind === 'REPLAY') return await replayPage(sql, deps, workerVersion, ids);
  const results: ItemResult[] = [];
  for (const id of ids) results.push(await doOne(sql, { kind, filter, workerVersion }, id)); // one connection, one after the other
  return toPageResult(kind, ids, results);
}

function toPageResult(kind: BulkKind, ids: readonly string[], results: readonly ItemResult[]): PageResult {
  return {
    succeeded: results.filter((result) => result === 'done').length,
    failures: results.flatMap((result, i) =>
      typeof result === 'string' ? [] : [{ id: formatId(NOUNS[kind], ids[i]!), reason: result.reason }],
    ),
  };
}

async function doOne(
  sql: Sql,
  { kind, filter, workerVersion }: PageTask & { readonly kind: Exclude<BulkKind, 'REPLAY'> },
  id: string,
): Promise<ItemResult> {
  switch (kind) {
    case 'RETRY':
      return ofRetry(await retryOne(sql, COLD_SHARD, id, workerVersion));
    case 'CANCEL': {
      // It may have begun to run since it was found.
      const result = await cancelOne(sql, COLD_SHARD, id, filter.statuses);
      return result === 'canceled' || result === 'requested' ? 'done' : 'nothing';
    }
    case 'REPLAY_CALLBACKS':
      return ofRound(await beginRound(sql, id));
  }
}

function ofRetry(result: RetryResult): ItemResult {
  switch (result.type) {
    case 'retried':
      return 'done';
    case 'not-its-turn':
      return { reason: 'One before it in its sequence has not succeeded.' };
    case 'retried-before': // came along with the one that failed before it
    case 'not-failed':
    case 'gone':
      return 'nothing';
  }
}

function ofRound(result: RoundResult): ItemResult {
  switch (result) {
    case 'begun':
      return 'done';
    case 'no-callback-url':
      return { reason: 'Its webhook has no callback URL any more.' };
    case 'superseded':
    case 'call-unfinished':
    case 'gone':
      return 'nothing';
  }
}

/** Bodies can be large, and these are in memory at once. */
const REPLAYED_AT_ONCE = 10;

async function replayPage(
  sql: Sql,
  deps: ReplayDeps,
  workerVersion: WorkerVersionChoice,
  ids: readonly string[],
): Promise<PageResult> {
  let succeeded = 0;
  const failures: BulkFailure[] = [];
  for (let at = 0; at < ids.length; at += REPLAYED_AT_ONCE) {
    const result = await replaySome(sql, deps, workerVersion, ids.slice(at, at + REPLAYED_AT_ONCE));
    succeeded += result.succeeded;
    failures.push(...result.failures);
  }
  return { succeeded, failures };
}

async function replaySome(
  sql: Sql,
  deps: ReplayDeps,
  workerVersion: WorkerVersionChoice,
  ids: readonly string[],
): Promise<PageResult> {
  const sources = await readReplaySources(sql, ids);
  const results = new Map<string, ItemResult>();
  let left = ids.flatMap((id) => sources.get(id) ?? []);
  for (let tries = 0; left.length > 0 && tries < STALE_RETRIES_MAX; tries += 1) {
    const prepared: PreparedReplay[] = [];
    for (const source of left) {
      const outcome = await prepareReplay(deps, source, workerVersion);
      if (outcome.ok) prepared.push(outcome.value);
      else results.set(source.id, { reason: outcome.userErrors.map(({ message }) => message).join(' ') });
    }
    const stored = await storeAll(sql, deps, prepared);
    for (const [id, result] of stored) results.set(id, result);
    left = left.filter(({ id }) => stored.get(id) === STALE);
  }
  return toPageResult(
    'REPLAY',
    ids,
    ids.map((id) => results.get(id) ?? 'nothing'),
  );
}

const STALE = { reason: 'Its webhook was being changed.' };

/** All in one statement; when PostgreSQL does not take one of them, one by one. */
async function storeAll(
  sql: Sql,
  deps: Pick<ReplayDeps, 'retentionDays'>,
  replays: readonly PreparedReplay[],
): Promise<ReadonlyMap<string, ItemResult>> {
  if (replays.length === 0) return new Map();
  await sql.query('savepoint page');
  try {
    const results = await storeReplays(sql, replays, deps.retentionDays);
    await sql.query('release savepoint page');
    return new Map(replays.map(({ replayOf }, i) => [replayOf, results[i] === 'stored' ? 'done' : STALE]));
  } catch (error) {
    if (!isDataFault(error)) throw error;
    await sql.query('rollback to savepoint page');
    const [only, ...others] = replays;
    if (others.length === 0) return new Map([[only!.replayOf, { reason: 'It could not be stored.' }]]);
    const singly = new Map<string, ItemResult>();
    for (const replay of replays) {
      for (const [id, result] of await storeAll(sql, deps, [replay])) singly.set(id, result);
    }
    return singly;
  }
}
