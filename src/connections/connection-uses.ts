import type { EntityManager } from '@mikro-orm/postgresql';
import { parseId } from '../lib/ids.js';
import type { NamedUser } from '../lib/in-use.js';

/**
 * Workers of any kind that use a connection: its id stands somewhere in their definition. So nothing has to keep a list
 * of uses that could be wrong. It reads every current definition, which is little: it runs when one is deleted.
 */
const USERS = `
  select w.id, w.name from workers w
  join worker_versions v on v.worker_id = w.id and v.version = w.current_version
  where w.deleted_at is null and jsonb_path_exists(v.definition, ?::jsonpath, jsonb_build_object('id', ?::text))
  order by w.name, w.id limit 100`;

/** A string anywhere that is the id. */
const NAMES_IT = '$.** ? (@ == $id)';

/** @param connectionId in its public form. */
export async function readConnectionUsers(em: EntityManager, connectionId: string): Promise<readonly NamedUser[]> {
  return await em.execute<NamedUser[]>(USERS, [NAMES_IT, connectionId]);
}

/**
 * Finds out which connections are not there, and keeps the others from being deleted until the transaction ends. Whoever
 * stores a definition that names connections calls it first.
 *
 * @param connectionIds in their public form, as definitions hold them.
 * @returns those that don't exist.
 */
export async function missingConnections(
  em: EntityManager,
  connectionIds: readonly string[],
): Promise<readonly string[]> {
  if (connectionIds.length === 0) return [];
  const uuids = connectionIds.map((id) => parseId('connection', id));
  const rows = await em.execute<{ id: string }[]>(
    'select id from connections where id = any(?::uuid[]) order by id for share',
    [`{${uuids.filter((uuid) => uuid !== undefined).join(',')}}`],
  );
  const found = new Set(rows.map(({ id }) => id));
  return connectionIds.filter((_, i) => uuids[i] === undefined || !found.has(uuids[i]));
}
