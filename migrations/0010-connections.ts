import { Migration } from '@mikro-orm/migrations';

/** Connections: outside systems that workers call, with their credentials. */
export class Migration0010Connections extends Migration {
  override readonly name = '0010-connections';

  override up(): void {
    this.addSql(CONNECTIONS);
  }

  override down(): void {
    this.addSql('drop table if exists connections;');
  }
}

/**
 * `sealed` is the credential and the values of the headers; beside it stands only what may be shown. Deleting one
 * deletes its row: a credential that nobody needs any more must not stay.
 */
const CONNECTIONS = `
  create table connections (
    id uuid primary key,
    name text not null,
    description text,
    base_url text not null,
    auth_kind text not null check (auth_kind in ('NONE', 'BEARER', 'BASIC', 'HEADER', 'QUERY')),
    auth_name text,
    secret_hint text,
    header_names text[] not null,
    sealed bytea not null,
    version integer not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
  );
`;
