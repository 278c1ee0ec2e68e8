import type { Sql } from '../db/database.js';
import { Conditions, type KeysetPage, keysetPage, type KeysetRequest } from '../db/keyset.js';
import type { UserRole } from './access.entities.js';
import { requirePermission } from './permissions.js';
import type { Principal } from './principal.js';

/** A user as the admin API shows it. */
export interface UserView {
  /** A UUID. */
  readonly id: string;
  readonly name: string;
  readonly email: string | null;
  readonly role: UserRole;
  /** Goes up with every change. */
  readonly version: number;
  readonly createdAt: Date;
  /** Set: the user can't sign in any more, but what they made still names them. */
  readonly disabledAt: Date | null;
}

const COLUMNS = `id, name, email, role, version, created_at as "createdAt", disabled_at as "disabledAt"`;

/** Users by UUID, disabled ones too, in no order; ids that don't exist are left out. */
export async function readUsersById(sql: Sql, ids: readonly string[]): Promise<readonly UserView[]> {
  const { rows } = await sql.query<UserView>({
    name: 'read-users',
    text: `select ${COLUMNS} from users where id = any($1::uuid[])`,
    values: [ids],
  });
  return rows;
}

export interface UserFilter {
  readonly role?: UserRole | undefined;
  /** Only those who may sign in, or only those who may not. */
  readonly disabled?: boolean | undefined;
  /** A part of the name or the address, in any case. */
  readonly text?: string | undefined;
}

/**
 * Lists users, the newest first.
 *
 * @throws AppError UNAUTHENTICATED, FORBIDDEN.
 */
export async function listUsers(
  sql: Sql,
  principal: Principal | undefined,
  filter: UserFilter,
  page: KeysetRequest,
): Promise<KeysetPage<UserView>> {
  requirePermission(principal, 'users:read');
  const where = conditionsOf(filter);
  where.add(page.after, (id) => `id < ${id}`);
  where.add(page.before, (id) => `id > ${id}`);
  const limit = where.place(page.limit + 1);
  const { rows } = await sql.query<UserView>(
    `select ${COLUMNS} from users where ${where.text} order by id ${page.fromEnd ? 'asc' : 'desc'} limit ${limit}`,
    where.values,
  );
  return keysetPage(page, rows);
}

/** Counts what {@link listUsers} would list in all. */
export async function countUsers(sql: Sql, principal: Principal | undefined, filter: UserFilter): Promise<number> {
  requirePermission(principal, 'users:read');
  const where = conditionsOf(filter);
  const { rows } = await sql.query<{ count: number }>(
    `select count(*)::float8 as count from users where ${where.text}`,
    where.values,
  );
  return rows[0]!.count;
}

function conditionsOf({ role, disabled, text }: UserFilter): Conditions {
  const where = new Conditions();
  where.add(role, (value) => `role = ${value}`);
  where.add(disabled, (value) => `(disabled_at is not null) = ${value}::boolean`);
  where.add(
    text === '' ? undefined : text,
    (value) => `strpos(lower(name || ' ' || coalesce(email, '')), lower(${value})) > 0`,
  );
  return where;
}
