import type { Sql } from '../db/database.js';
import type { UserRole } from './access.entities.js';

/** A user as the admin API shows it. */
export interface UserView {
  /** A UUID. */
  readonly id: string;
  readonly name: string;
  readonly email: string | null;
  readonly role: UserRole;
  readonly createdAt: Date;
  /** Set: the user can't sign in any more, but what they made still names them. */
  readonly disabledAt: Date | null;
}

/** Users by UUID, disabled ones too, in no order; ids that don't exist are left out. */
export async function readUsersById(sql: Sql, ids: readonly string[]): Promise<readonly UserView[]> {
  const { rows } = await sql.query<UserView>({
    name: 'read-users',
    text: `select id, name, email, role, created_at as "createdAt", disabled_at as "disabledAt"
      from users where id = any($1::uuid[])`,
    values: [ids],
  });
  return rows;
}
