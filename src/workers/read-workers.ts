import type { Sql } from '../db/database.js';
import type { JsonSchema, WorkerKind } from './worker.entities.js';

/** A worker at its current version, as the admin API shows it. */
export interface WorkerView {
  readonly id: string;
  readonly kind: WorkerKind;
  readonly name: string;
  readonly description: string | null;
  readonly version: number;
  /** The kind's own settings; for an HTTP worker `readHttpDefinition` says what of it may be shown. */
  readonly definition: Readonly<Record<string, unknown>>;
  readonly inputSchema: JsonSchema | null;
  readonly outputSchema: JsonSchema | null;
  readonly timeoutMs: number;
  readonly attemptsMax: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Set: it is in no list any more, but its executions still name it. */
  readonly deletedAt: Date | null;
}

export interface WorkerFilter {
  readonly kind?: WorkerKind | undefined;
  /** A part of the name or the id, in any case. */
  readonly text?: string | undefined;
}

/** A place in the list: the list is in order of name, then id. */
export interface WorkerKey {
  readonly name: string;
  readonly id: string;
}

export interface WorkerPage {
  /** How many workers at most. */
  readonly limit: number;
  /** Only those behind this place. */
  readonly after?: WorkerKey | undefined;
  /** Only those before this place. */
  readonly before?: WorkerKey | undefined;
  /** The last ones of the range instead of the first; still in the list's order. */
  readonly fromEnd?: boolean | undefined;
}

/** A page of the workers that are not deleted; `hasMore`: the range goes on past the limit. */
export async function readWorkers(
  sql: Sql,
  filter: WorkerFilter,
  page: WorkerPage,
): Promise<{ readonly workers: readonly WorkerView[]; readonly hasMore: boolean }> {
  const { limit, after, before, fromEnd = false } = page;
  const direction = fromEnd ? 'desc' : 'asc';
  const { rows } = await sql.query<WorkerView>(
    `${SELECT} where ${MATCHES}
       and ($3::text is null or (w.name collate "C", w.id collate "C") > ($3, $4))
       and ($5::text is null or (w.name collate "C", w.id collate "C") < ($5, $6))
     order by w.name collate "C" ${direction}, w.id collate "C" ${direction} limit $7`,
    [...matchValues(filter), after?.name, after?.id, before?.name, before?.id, limit + 1],
  );
  const workers = rows.slice(0, limit);
  return { workers: fromEnd ? workers.toReversed() : workers, hasMore: rows.length > limit };
}

/** How many workers a filter finds. */
export async function countWorkers(sql: Sql, filter: WorkerFilter): Promise<number> {
  const { rows } = await sql.query<{ workers: number }>(
    `select count(*)::int as workers from workers w where ${MATCHES}`,
    matchValues(filter),
  );
  return rows[0]?.workers ?? 0;
}

/** Workers by id, deleted ones too, in no order; ids that don't exist are left out. */
export async function readWorkersById(sql: Sql, ids: readonly string[]): Promise<readonly WorkerView[]> {
  const { rows } = await sql.query<WorkerView>(`${SELECT} where w.id = any($1)`, [ids]);
  return rows;
}

/** The "C" collation: an order that an upgrade of the system's locales cannot change under a cursor. */
const SELECT = `
  select w.id, w.kind, w.name, w.description, v.version, v.definition, v.input_schema as "inputSchema",
    v.output_schema as "outputSchema", v.timeout_ms as "timeoutMs", v.attempts_max as "attemptsMax",
    w.created_at as "createdAt", w.updated_at as "updatedAt", w.deleted_at as "deletedAt"
  from workers w join worker_versions v on v.worker_id = w.id and v.version = w.current_version`;

const MATCHES = `w.deleted_at is null and ($1::text is null or w.kind = $1)
  and ($2::text is null or strpos(lower(w.name), lower($2)) > 0 or strpos(w.id, lower($2)) > 0)`;

function matchValues({ kind, text }: WorkerFilter): unknown[] {
  return [kind ?? null, text === undefined || text === '' ? null : text];
}
