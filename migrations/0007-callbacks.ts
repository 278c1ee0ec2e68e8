import { Migration } from '@mikro-orm/migrations';

/** Where the end of a webhook's calls is told, what was told, and every try. */
export class Migration0007Callbacks extends Migration {
  override readonly name = '0007-callbacks';

  override up(): void {
    this.addSql(CALLBACKS);
  }

  override down(): void {
    this.addSql('drop table if exists callback_attempts, callbacks, webhook_callbacks');
  }
}

/**
 * The settings have a table of their own, with rows only for webhooks that have a callback: the statement that ends
 * calls looks in it for every call that ends.
 *
 * A callback has its call's milliseconds in its id, so a call's callbacks are found by a scan of the primary key over
 * one millisecond, and they go with their call by a range of ids. `round` counts the times that the schedule was begun:
 * at the end of the call, and by whoever replays it; `tries` are those of this round, `attempts` all that were made.
 */
const CALLBACKS = `
  create table webhook_callbacks (
    webhook_id uuid primary key references webhooks,
    url text not null,
    secret_version integer not null,
    sealed bytea not null,
    hint text not null,
    updated_at timestamptz not null default now()
  );

  create table callbacks (
    id uuid primary key,
    call_id uuid not null,
    webhook_id uuid not null,
    status text not null default 'PENDING' check (status in ('PENDING', 'SUCCEEDED', 'FAILED', 'SUPERSEDED')),
    round smallint not null default 1,
    tries smallint not null default 0,
    attempts smallint not null default 0,
    created_at timestamptz not null default now(),
    next_attempt_at timestamptz,
    finished_at timestamptz
  ) with (fillfactor = 80);
  create index callbacks_webhook on callbacks (webhook_id, id);

  create table callback_attempts (
    callback_id uuid not null references callbacks on delete cascade,
    number smallint not null,
    at timestamptz not null,
    duration_ms integer not null,
    http_status smallint,
    error text,
    response_body text,
    primary key (callback_id, number)
  );
`;
