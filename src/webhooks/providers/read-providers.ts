import { requirePermission } from '../../access/permissions.js';
import type { Principal } from '../../access/principal.js';
import type { Database } from '../../db/database.js';
import { parseId } from '../../lib/ids.js';
import { type OwnProvider, ProviderEntity } from './provider.entity.js';

/**
 * Reads the users' own providers, by name: a short list, whose length is bounded.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN.
 */
export async function readOwnProviders(
  { database }: { readonly database: Database },
  principal: Principal | undefined,
): Promise<OwnProvider[]> {
  requirePermission(principal, 'webhooks:read');
  return await database.em().find(ProviderEntity, {}, { orderBy: { name: 'asc', id: 'asc' } });
}

/** @returns `null` when there is none of this id. @throws AppError UNAUTHENTICATED, FORBIDDEN. */
export async function readOwnProvider(
  { database }: { readonly database: Database },
  principal: Principal | undefined,
  id: string,
): Promise<OwnProvider | null> {
  requirePermission(principal, 'webhooks:read');
  if (parseId('provider', id) === undefined) return null;
  return await database.em().findOne(ProviderEntity, { id });
}
