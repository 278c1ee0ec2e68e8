import type { EntityManager } from '@mikro-orm/postgresql';
import type { UserError } from '../lib/user-error.js';
import { USED_WORKERS } from './worker-uses.js';
import { CALL_CHAIN_MAX } from './worker-run.js';

/** A worker that another one is to use, and where in the input it is named. */
export interface WorkerReference {
  readonly id: string;
  readonly field: readonly string[];
}

/**
 * Finds what is wrong with the workers that a worker is to use: one that does not exist, a circle of workers that would
 * call one another, a chain of calls that is too long. Under {@link lockWorkerUses} what it finds in order stays so until
 * the transaction ends.
 */
export async function workerReferenceFaults(
  em: EntityManager,
  workerId: string,
  references: readonly WorkerReference[],
): Promise<readonly UserError[]> {
  if (references.length === 0) return [];
  const ids = [...new Set(references.map(({ id }) => id))];
  const existing = await em.execute<{ id: string }[]>(
    'select id from workers where id = any(?::text[]) and deleted_at is null',
    [arrayOf(ids)],
  );
  const above = await longestChain(em, ABOVE, [workerId]);
  const known = new Set(existing.map(({ id }) => id));
  const faults: UserError[] = [];
  for (const { id, field } of references) {
    if (id === workerId || (await leadsTo(em, id, workerId))) {
      faults.push({ field, message: 'These workers would call one another in a circle.', code: 'CYCLE' });
    } else if (!known.has(id)) {
      faults.push({ field, message: 'There is no such worker.', code: 'NOT_FOUND' });
    } else if (above + (await longestChain(em, BELOW, [id])) > CALL_CHAIN_MAX) {
      const message = `More than ${CALL_CHAIN_MAX} workers would call one another.`;
      faults.push({ field, message, code: 'TOO_DEEP' });
    }
  }
  return faults;
}

/** Whether the workers that a worker uses, or those that these use, lead to another worker. */
async function leadsTo(em: EntityManager, from: string, to: string): Promise<boolean> {
  const rows = await em.execute<unknown[]>(REACHES, [from, to]);
  return rows.length > 0;
}

async function longestChain(em: EntityManager, sql: string, from: readonly string[]): Promise<number> {
  const [row] = await em.execute<{ length: number }[]>(sql, [...from]);
  return row!.length;
}

const REACHES = `
  with recursive reached(id) as (
    select ?::text
    union
    select used.id from reached r
    join workers w on w.id = r.id
    join worker_versions v on v.worker_id = w.id and v.version = w.current_version
    cross join lateral jsonb_array_elements_text(${USED_WORKERS}) used(id)
  )
  select 1 from reached where id = ?`;

/** Workers in the longest chain of calls that begins with one. There are no circles, and no chain is longer than the limit. */
const BELOW = `
  with recursive chain(id, length) as (
    select ?::text, 1
    union
    select used.id, c.length + 1 from chain c
    join workers w on w.id = c.id
    join worker_versions v on v.worker_id = w.id and v.version = w.current_version
    cross join lateral jsonb_array_elements_text(${USED_WORKERS}) used(id)
    where c.length <= ${CALL_CHAIN_MAX}
  )
  select max(length)::int as length from chain`;

/** Workers in the longest chain of calls that ends with one. */
const ABOVE = `
  with recursive chain(id, length) as (
    select ?::text, 1
    union
    select w.id, c.length + 1 from chain c
    join workers w on w.kind in ('AGENT', 'WORKFLOW') and w.deleted_at is null
    join worker_versions v on v.worker_id = w.id and v.version = w.current_version
    where ${USED_WORKERS} @> to_jsonb(c.id) and c.length <= ${CALL_CHAIN_MAX}
  )
  select max(length)::int as length from chain`;

function arrayOf(ids: readonly string[]): string {
  return `{${ids.map((id) => JSON.stringify(id)).join(',')}}`;
}
