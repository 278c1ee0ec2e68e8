import { rawTransaction } from '../db/raw-transaction.js';
import type { Sql } from '../db/database.js';
import type { WorkerVersionChoice } from '../executions/retry.js';
import { CHANNEL, encodeEvents } from '../events/wire.js';
import type { Logger } from '../lib/logger.js';
import type { JobHandler } from '../queue/job-context.js';
import type { ReplayDeps } from '../webhooks/replay/replay-call.js';
import { bulkJobSql } from './bulk-job.js';
import type { BulkFilter, BulkKind } from './bulk-operation.js';
import { doPage } from './do-page.js';
import { findPage } from './find-page.js';

export interface RunBulkOptions extends ReplayDeps {
  readonly log: Logger;
}

/** The pause behind a page in which something was done: 100 a second at most, so that live calls keep their share. */
const PAUSE_MS = 500;

/**
 * With so many jobs waiting, runners don't keep up, and an operation adds nothing to what they have: a live call never
 * waits behind more of it than that.
 */
const BACKLOG_MAX = 200;

const BACKLOG_PAUSE_MS = 1_000;

/** Pages in which nothing matched that one job looks through before it gives the slot back. */
const EMPTY_PAGES_MAX = 20;

/** Failures that are kept with their reasons. */
const FAILURES_MAX = 20;

const BACKLOG = `
  select count(*)::integer as waiting from (
    select from graphile_worker._private_jobs where is_available and run_at <= now() limit ${BACKLOG_MAX}
  ) due`;

const LOCK = `
  select kind, filter, worker_version as "workerVersion", position, until_id as "untilId", created_at as "createdAt"
  from bulk_operations where id = $1 and status in ('QUEUED', 'RUNNING') for update`;

interface LockedOperation {
  readonly kind: BulkKind;
  readonly filter: BulkFilter;
  readonly workerVersion: WorkerVersionChoice | null;
  readonly position: string;
  readonly untilId: string;
  readonly createdAt: Date;
}

const ADVANCE = `
  update bulk_operations set
    status = case when $2::uuid is null then 'COMPLETED' else 'RUNNING' end, position = coalesce($2, position),
    looked_at = looked_at + $3, succeeded = succeeded + $4, failed = failed + $5,
    failures = (select coalesce(jsonb_agg(failure order by n), '[]') from (
      select failure, n from jsonb_array_elements(failures || $6::jsonb) with ordinality as f(failure, n)
      order by n limit ${FAILURES_MAX}) first),
    started_at = coalesce(started_at, now()), finished_at = case when $2::uuid is null then now() end
  where id = $1`;

const NEXT_JOB = `select count(*) from graphile_worker.add_jobs(
  array[${bulkJobSql('$1::uuid', "now() + $2::float8 * interval '1 millisecond'")}])`;

/**
 * The handler of `run_bulk_operation` jobs. A page is one transaction: what is done, how far the operation has come, and
 * the job of the next page. So a kill loses no page and does none twice, and whoever takes the job over goes on behind
 * the last one.
 */
export function createBulkHandler(options: RunBulkOptions): JobHandler {
  const { pool, log } = options;
  return async (payload, { signal }) => {
    const id = bulkIdOf(payload);
    if (id === undefined) {
      log.error('a job names no bulk operation; it is dropped');
      return;
    }
    for (let empty = 0; ; empty += 1) {
      signal.throwIfAborted();
      const isLast = empty >= EMPTY_PAGES_MAX;
      const next = await rawTransaction(pool, ({ sql }) => advance(sql, options, id, isLast));
      if (next !== 'go on') return;
    }
  };
}

function bulkIdOf(payload: unknown): string | undefined {
  if (typeof payload !== 'object' || payload === null || !('bulkOperationId' in payload)) return undefined;
  return typeof payload.bulkOperationId === 'string' ? payload.bulkOperationId : undefined;
}

/** @returns `go on` when nothing matched and there is more to look at. */
async function advance(sql: Sql, options: RunBulkOptions, id: string, isLast: boolean): Promise<'go on' | 'ended'> {
  const { rows } = await sql.query<LockedOperation>(LOCK, [id]);
  const operation = rows[0];
  if (operation === undefined) return 'ended'; // it was canceled, or is done
  const { kind, filter, workerVersion } = operation;
  const startsExecutions = kind === 'REPLAY' || kind === 'RETRY';
  if (startsExecutions && (await isBacklogged(sql))) return await later(sql, id, BACKLOG_PAUSE_MS);
  const { ids, lookedAt, last } = await findPage(sql, operation);
  const { succeeded, failures } = await doPage(
    sql,
    options,
    { kind, filter, workerVersion: workerVersion ?? 'PRESENT' },
    ids,
  );
  const shown = JSON.stringify(failures.slice(0, FAILURES_MAX));
  await sql.query(ADVANCE, [id, last, lookedAt, succeeded, failures.length, shown]);
  await sql.query(`select pg_notify('${CHANNEL}', payload) from unnest($1::text[]) as n(payload)`, [
    encodeEvents([{ kind: 'bulk-changed', bulkOperationId: id }]),
  ]);
  if (last === null) return 'ended';
  if (ids.length === 0 && !isLast) return 'go on';
  return await later(sql, id, ids.length === 0 ? 0 : PAUSE_MS);
}

async function isBacklogged(sql: Sql): Promise<boolean> {
  const { rows } = await sql.query<{ waiting: number }>(BACKLOG);
  return rows[0]!.waiting >= BACKLOG_MAX;
}

async function later(sql: Sql, id: string, delayMs: number): Promise<'ended'> {
  await sql.query(NEXT_JOB, [id, delayMs]);
  return 'ended';
}
