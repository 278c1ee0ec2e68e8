import type { EntityManager } from '@mikro-orm/postgresql';
import { formatId } from '../lib/ids.js';
import { inUseFaults, type NamedUser } from '../lib/in-use.js';
import type { UserError } from '../lib/user-error.js';

/** The advisory lock of whoever changes which workers use which ("work" and "uses" as two 32-bit numbers). */
const USES_LOCK = [0x776f_726b, 0x7573_6573] as const;

/**
 * Keeps which workers use which as they are until the transaction ends: no worker becomes another one's tool while that
 * one is deleted, and two of them do not come to call each other at the same time. To be taken after the rows of workers,
 * never before.
 */
export async function lockWorkerUses(em: EntityManager): Promise<void> {
  await em.execute('select pg_advisory_xact_lock(?, ?)', [...USES_LOCK]);
}

const WEBHOOKS = `
  select distinct w.id, w.name from webhook_workers u join webhooks w on w.id = u.webhook_id
  where u.worker_id = ? and w.deleted_at is null order by w.name, w.id limit 100`;

/** The ids of the workers that a version `v` of a worker `w` uses, as a JSON array: tools of agents, steps of workflows. */
export const USED_WORKERS = `case w.kind
  when 'AGENT' then jsonb_path_query_array(v.definition, '$.tools[*].workerId')
  when 'WORKFLOW' then v.definition -> 'workerIds'
  else '[]'::jsonb end`;

/** Workers that use a worker in their current version; old versions only finish what has begun. */
const WORKERS = `
  select w.id, w.name from workers w
  join worker_versions v on v.worker_id = w.id and v.version = w.current_version
  where w.kind = ? and w.deleted_at is null and w.id <> ? and ${USED_WORKERS} @> to_jsonb(?::text)
  order by w.name, w.id limit 100`;

/** Says who uses a worker, and why it can't be deleted; under {@link lockWorkerUses}. */
export async function workerInUseFaults(em: EntityManager, workerId: string): Promise<readonly UserError[]> {
  const webhooks = await em.execute<NamedUser[]>(WEBHOOKS, [workerId]);
  const agents = await em.execute<NamedUser[]>(WORKERS, ['AGENT', workerId, workerId]);
  const workflows = await em.execute<NamedUser[]>(WORKERS, ['WORKFLOW', workerId, workerId]);
  const named = webhooks.map(({ id, name }) => ({ id: formatId('webhook', id), name }));
  return [
    ...inUseFaults(named, 'webhooks', 'this worker', 'WORKER_IN_USE'),
    ...inUseFaults(agents, 'agents', 'this worker as a tool', 'WORKER_IN_USE'),
    ...inUseFaults(workflows, 'workflows', 'this worker in a step', 'WORKER_IN_USE'),
  ];
}
