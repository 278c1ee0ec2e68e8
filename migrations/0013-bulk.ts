import { Migration } from '@mikro-orm/migrations';

/** Calls and executions that are done again, executions that are to end early, and both for many at once. */
export class Migration0013Bulk extends Migration {
  override readonly name = '0013-bulk';

  override up(): void {
    this.addSql(`
      alter table executions
        add column cancel_requested_at timestamptz,
        add column retry_of uuid,
        add column retried_by uuid;
      alter table calls add column replay_of uuid;
    `);
    this.addSql(BULK_OPERATIONS);
  }

  override down(): void {
    this.addSql(`
      drop table if exists bulk_operations;
      alter table executions drop column cancel_requested_at, drop column retry_of, drop column retried_by;
      alter table calls drop column replay_of;
    `);
  }
}

/**
 * `position` is the id of the last thing that was looked at: whoever takes the job over goes on behind it. Things from
 * `until_id` on came after the operation was asked for and are left alone. `failures` has the first few that could not
 * be done, with their reasons.
 */
const BULK_OPERATIONS = `
  create table bulk_operations (
    id uuid primary key,
    kind text not null check (kind in ('REPLAY', 'RETRY', 'CANCEL', 'REPLAY_CALLBACKS')),
    status text not null default 'QUEUED' check (status in ('QUEUED', 'RUNNING', 'COMPLETED', 'CANCELED')),
    filter jsonb not null,
    worker_version text check (worker_version in ('ORIGINAL', 'PRESENT')),
    key_hash bytea unique,
    input_hash bytea,
    position uuid not null,
    until_id uuid not null,
    looked_at bigint not null default 0,
    succeeded bigint not null default 0,
    failed bigint not null default 0,
    failures jsonb not null default '[]',
    created_by uuid not null references users,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz
  );
`;
