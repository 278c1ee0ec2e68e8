import { requirePermission } from '../access/permissions.js';
import type { Principal } from '../access/principal.js';
import type { Sql } from '../db/database.js';
import { Conditions, type KeysetPage, keysetPage, type KeysetRequest } from '../db/keyset.js';
import type { ConnectionAuthenticationKind } from './connection.entity.js';

/** A connection as the admin API shows it: no credential and no header value is in it. */
export interface ConnectionView {
  /** A UUID. */
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly baseUrl: string;
  readonly authKind: ConnectionAuthenticationKind;
  readonly authName: string | null;
  /** The end of the credential. */
  readonly secretHint: string | null;
  readonly headerNames: readonly string[];
  readonly version: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

const COLUMNS = `id, name, description, base_url as "baseUrl", auth_kind as "authKind", auth_name as "authName",
  secret_hint as "secretHint", header_names as "headerNames", version, created_at as "createdAt",
  updated_at as "updatedAt"`;

/** Lists connections, the newest first. @throws AppError UNAUTHENTICATED, FORBIDDEN. */
export async function listConnections(
  sql: Sql,
  principal: Principal | undefined,
  page: KeysetRequest,
): Promise<KeysetPage<ConnectionView>> {
  requirePermission(principal, 'connections:read');
  const where = new Conditions();
  where.add(page.after, (id) => `id < ${id}`);
  where.add(page.before, (id) => `id > ${id}`);
  const limit = where.place(page.limit + 1);
  const order = page.fromEnd ? 'asc' : 'desc';
  const { rows } = await sql.query<ConnectionView>(
    `select ${COLUMNS} from connections where ${where.text} order by id ${order} limit ${limit}`,
    where.values,
  );
  return keysetPage(page, rows);
}

/** How many connections there are. @throws AppError UNAUTHENTICATED, FORBIDDEN. */
export async function countConnections(sql: Sql, principal: Principal | undefined): Promise<number> {
  requirePermission(principal, 'connections:read');
  const { rows } = await sql.query<{ count: number }>('select count(*)::int as count from connections');
  return rows[0]!.count;
}

/** Connections by id, in no order; ids that don't exist are left out. */
export async function readConnectionsById(sql: Sql, ids: readonly string[]): Promise<readonly ConnectionView[]> {
  const { rows } = await sql.query<ConnectionView>(`select ${COLUMNS} from connections where id = any($1)`, [ids]);
  return rows;
}
