import type { Sql } from '../db/database.js';
import { uuidV7Floor, uuidV7Time } from '../lib/ids.js';
import { runExecutionJobSql } from '../queue/enqueue.js';

/**
 * Jobs that the queue has given up after its last attempt are offered again. Whatever is left to do of them is done
 * then, and what has nothing left is deleted, as any job.
 */
const REVIVE = `
  select count(*)::integer as jobs from graphile_worker.reschedule_jobs(
    array(select id from graphile_worker._private_jobs where attempts >= max_attempts and locked_at is null),
    run_at := now(), attempts := 0)`;

/** @returns how many. */
export async function reviveFailedJobs(sql: Sql): Promise<number> {
  const { rows } = await sql.query<{ jobs: number }>(REVIVE);
  return rows[0]!.jobs;
}

/**
 * Adds the jobs that executions of a time should have and don't: of those that are QUEUED, of those that wait for
 * their next attempt (the error says so), and of those whose runner is gone. What waits for the worker before it, or for
 * its turn under flow control, has no job. Executions and jobs are of one snapshot, and every move is committed with its
 * job, so one that is missing here is missing.
 */
const ADD_MISSING = `
  with open as materialized (
    select id, status, error is not null as again, leased_by from executions
    where id >= $1 and id < $2 and status in ('QUEUED', 'WAITING', 'RUNNING')
  ),
  due as materialized (
    select id from open o
    where status = 'QUEUED' or (status = 'WAITING' and again)
      or (status = 'RUNNING' and not exists (select from runners r where r.id = o.leased_by))
  ),
  jobs as materialized (
    select payload ->> 'executionId' as execution_id from graphile_worker._private_jobs where exists (select from due)
  ),
  missing as (select id from due where not exists (select from jobs j where j.execution_id = due.id::text))
  select (select id from open order by id limit 1) as "firstOpenId",
    (select id from executions where id >= $2 order by id limit 1) as "nextId",
    (select count(*)::integer from graphile_worker.add_jobs(array(
      select ${runExecutionJobSql('id')} from missing order by id))) as added`;

interface Day {
  readonly firstOpenId: string | null;
  /** The first execution after it. */
  readonly nextId: string | null;
  readonly added: number;
}

const BOUNDS = `
  select (select id from executions order by id limit 1) as "oldestId",
    floor(extract(epoch from now()) * 1000)::float8 as "nowMs"`;

const DAY_MS = 86_400_000;

/** Clocks of processes may differ: an execution can get an id that is as much older than it is. */
const LEEWAY_MS = DAY_MS;

/**
 * Looks for executions without a job, which would stand still for ever: a restored or cleared queue leaves such. There
 * is no index by state, for it would cost every move of every execution; so what was looked through and was all
 * terminal is not looked through again.
 */
export class JobMender {
  /** Everything before this id was terminal, and stays so. */
  #fromId: string | undefined;

  /** @returns how many jobs were missing. */
  async addMissing(sql: Sql): Promise<number> {
    const { rows } = await sql.query<{ oldestId: string | null; nowMs: number }>(BOUNDS);
    const { oldestId, nowMs } = rows[0]!;
    if (oldestId === null) return 0;
    let firstOpenId: string | undefined;
    let added = 0;
    let fromId: string | null = this.#fromId === undefined || this.#fromId < oldestId ? oldestId : this.#fromId;
    while (fromId !== null) {
      const toId = uuidV7Floor(uuidV7Time(fromId) + DAY_MS); // a day at a time: no statement takes long
      const day: { rows: Day[] } = await sql.query<Day>(ADD_MISSING, [fromId, toId]);
      firstOpenId ??= day.rows[0]!.firstOpenId ?? undefined;
      added += day.rows[0]!.added;
      fromId = day.rows[0]!.nextId;
    }
    const settledId = uuidV7Floor(nowMs - LEEWAY_MS);
    this.#fromId = firstOpenId === undefined || firstOpenId > settledId ? settledId : firstOpenId;
    return added;
  }
}
