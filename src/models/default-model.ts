import type { EntityManager } from '@mikro-orm/postgresql';
import { ModelEntity } from './model.entity.js';

/** Changes of which model is the default wait for each other, for only one may be ("work" and "mods"). */
export async function lockDefaultModel(em: EntityManager): Promise<void> {
  await em.execute('select pg_advisory_xact_lock(?, ?)', [0x776f_726b, 0x6d6f_6473]);
}

/** Whether a model is the default; to be asked under {@link lockDefaultModel}. */
export async function hasDefaultModel(em: EntityManager): Promise<boolean> {
  return (await em.count(ModelEntity, { isDefault: true, deletedAt: null })) > 0;
}
