import { codeOf } from '../errors.js';
import type { Sql } from '../db/database.js';
import { isRunnerOfThisProcess, runnerHost } from './registration.js';

/** A runner that was silent for this long is dead. */
export const RUNNER_SILENT_MS_MAX = 20_000;

/**
 * Declares runners dead: their rows go and their jobs are unlocked in one statement, so that a job is never free
 * while its runner's leases still count. Two processes that do it at once don't disturb each other: the second one
 * waits for the first one's row locks and finds nothing. A heartbeat that arrives in between wins.
 *
 * The condition is put in; its parameters begin at $1.
 */
const declareDead = (condition: string): string => `
  with dead as (delete from runners where ${condition} returning id, queue_worker_ids),
  worker_ids as (select array(select unnest(queue_worker_ids) from dead) as ids)
  select array(select id from dead) as dead,
    case when cardinality(ids) > 0 then (select 1 from graphile_worker.force_unlock_workers(ids)) end
  from worker_ids`;

const SILENT = declareDead("heartbeat_at < now() - $1 * interval '1 millisecond'");
const NAMED = declareDead('id = any($1::uuid[])');

/**
 * Frees the work of runners whose heartbeat is old.
 *
 * @returns the ids of the runners declared dead.
 */
export async function rescueSilentRunners(
  sql: Sql,
  silentMs: number = RUNNER_SILENT_MS_MAX,
): Promise<readonly string[]> {
  const { rows } = await sql.query<{ dead: string[] }>(SILENT, [silentMs]);
  return rows[0]!.dead;
}

/**
 * Frees the work of runners of this machine whose process is gone, without waiting for their heartbeat to grow old:
 * after a crash a restart goes on where it was. A row with this process's own pid was its predecessor's.
 *
 * @returns the ids of the runners declared dead.
 */
export async function rescueDeadNeighbours(sql: Sql): Promise<readonly string[]> {
  const { rows } = await sql.query<{ id: string; pid: number }>('select id, pid from runners where host = $1', [
    runnerHost(),
  ]);
  const dead = rows.filter(({ id, pid }) => (pid === process.pid ? !isRunnerOfThisProcess(id) : !isAlive(pid)));
  if (dead.length === 0) return [];
  const { rows: declared } = await sql.query<{ dead: string[] }>(NAMED, [dead.map(({ id }) => id)]);
  return declared[0]!.dead;
}

/**
 * Unlocks jobs that are locked in the name of nobody: the process died between its first claim and the moment it
 * wrote that name into its row.
 *
 * @returns how many names were found.
 */
export async function unlockOrphans(sql: Sql, lockedMs: number = RUNNER_SILENT_MS_MAX): Promise<number> {
  const { rows } = await sql.query<{ ids: string[] }>(ORPHANS, [lockedMs]);
  const { ids } = rows[0]!;
  if (ids.length > 0) await sql.query('select graphile_worker.force_unlock_workers($1)', [ids]);
  return ids.length;
}

const ORPHANS = `
  select array(
    select distinct locked_by from graphile_worker.jobs j
    where locked_at < now() - $1 * interval '1 millisecond'
      and not exists (select from runners r where j.locked_by = any(r.queue_worker_ids))
  ) as ids`;

/** Jobs wait for a slot for a quarter of a second at most, so one that is locked for longer and doesn't run is forgotten. */
const FORGOTTEN_MS = 10_000;

/**
 * Unlocks jobs that a living queue has locked and knows nothing of: it claimed them, and the connection broke before
 * the answer came. There is no public function of graphile-worker for single locked jobs.
 *
 * @param running ids of the jobs that run.
 */
export async function unlockForgotten(
  sql: Sql,
  queueWorkerId: string,
  running: readonly string[],
  lockedMs: number = FORGOTTEN_MS,
): Promise<number> {
  const { rowCount } = await sql.query(FORGOTTEN, [queueWorkerId, running, lockedMs]);
  return rowCount ?? 0;
}

const FORGOTTEN = `
  update graphile_worker._private_jobs set locked_by = null, locked_at = null
  where locked_by = $1 and id <> all($2::bigint[]) and locked_at < now() - $3 * interval '1 millisecond'`;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== 'ESRCH'; // EPERM: it lives, under another user
  }
}
