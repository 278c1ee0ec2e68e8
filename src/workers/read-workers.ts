import type { Sql } from '../db/database.js';
import { Conditions, type KeysetPage, type KeysetRequest } from '../db/keyset.js';
import { byName, byTime, readSorted, type SortedList, type SortedRow, type SortOrder } from '../db/sorted-list.js';
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

/** By what workers can be ordered. */
export type WorkerOrderField = 'CREATED_AT' | 'UPDATED_AT' | 'NAME';

export type WorkerOrder = SortOrder<WorkerOrderField>;

export const WORKERS_BY_NAME: WorkerOrder = { field: 'NAME', descending: false };

const WORKERS: SortedList<WorkerOrderField> = {
  keys: {
    CREATED_AT: byTime('w.created_at'),
    UPDATED_AT: byTime('w.updated_at'),
    NAME: byName('w.name'),
  },
  idColumn: 'w.id collate "C"',
  idType: 'text',
};

/**
 * Lists the workers that are not deleted.
 *
 * @param page its places are cursors that this function gave for the same order.
 * @throws AppError BAD_USER_INPUT for a cursor of something else.
 */
export async function listWorkers(
  sql: Sql,
  filter: WorkerFilter,
  order: WorkerOrder,
  page: KeysetRequest,
): Promise<KeysetPage<SortedRow<WorkerView>>> {
  return await readSorted(sql, WORKERS, { select: COLUMNS, from: CURRENT, where: matches(filter), order, page });
}

/** How many workers a filter finds. */
export async function countWorkers(sql: Sql, filter: WorkerFilter): Promise<number> {
  const where = matches(filter);
  const { rows } = await sql.query<{ workers: number }>(
    `select count(*)::int as workers from workers w where ${where.text}`,
    where.values,
  );
  return rows[0]?.workers ?? 0;
}

/** Workers by id, deleted ones too, in no order; ids that don't exist are left out. */
export async function readWorkersById(sql: Sql, ids: readonly string[]): Promise<readonly WorkerView[]> {
  const { rows } = await sql.query<WorkerView>(`select ${COLUMNS} from ${CURRENT} where w.id = any($1)`, [ids]);
  return rows;
}

const COLUMNS = `
  w.id, w.kind, w.name, w.description, v.version, v.definition, v.input_schema as "inputSchema",
  v.output_schema as "outputSchema", v.timeout_ms as "timeoutMs", v.attempts_max as "attemptsMax",
  w.created_at as "createdAt", w.updated_at as "updatedAt", w.deleted_at as "deletedAt"`;

const CURRENT = 'workers w join worker_versions v on v.worker_id = w.id and v.version = w.current_version';

function matches({ kind, text }: WorkerFilter): Conditions {
  const where = new Conditions('w.deleted_at is null');
  where.add(kind, (place) => `w.kind = ${place}`);
  where.add(text, (place) => `(strpos(lower(w.name), lower(${place})) > 0 or strpos(w.id, lower(${place})) > 0)`);
  return where;
}
