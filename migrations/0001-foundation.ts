import { Migration } from '@mikro-orm/migrations';

/**
 * The first schema. Calls, executions, their steps and events are partitioned by week from the start: their ids are
 * UUIDv7, so a range of ids is a range of time, a lookup by id touches one partition, and retention drops a table.
 */
export class Migration0001Foundation extends Migration {
  override readonly name = '0001-foundation';

  override up(): void {
    this.addSql(ACCESS);
    this.addSql(WORKERS);
    this.addSql(WEBHOOKS);
    this.addSql(PARTITIONS);
    this.addSql(CALLS);
    this.addSql(EXECUTIONS);
    this.addSql(OPERATIONS);
    this.addSql('select workhook_ensure_partitions(now(), 8)');
  }

  override down(): void {
    this.addSql(`
      drop table if exists rate_limit_windows, rate_limit_policies, runners, call_statistics, execution_events,
        execution_steps, executions, calls, webhook_secrets, webhook_workers, webhooks, worker_versions, workers, audit_events,
        encryption_root, encryption_keys, login_tokens, sessions, api_tokens, users cascade;
      drop function if exists workhook_ensure_partitions(timestamptz, integer);
      drop function if exists workhook_drop_partitions_before(timestamptz);
      drop function if exists workhook_uuid_floor(timestamptz);
      drop function if exists workhook_refuse_change();
    `);
  }
}

const ACCESS = `
  create table users (
    id uuid primary key,
    name text not null,
    email text unique,
    role text not null check (role in ('owner', 'admin', 'editor', 'operator', 'viewer')),
    created_at timestamptz not null default now(),
    disabled_at timestamptz
  );

  create table api_tokens (
    id uuid primary key,
    user_id uuid not null references users,
    name text not null,
    token_hash bytea not null unique,
    hint text not null,
    scopes text[] not null default '{}',
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz
  );
  create index api_tokens_user on api_tokens (user_id);

  create table sessions (
    id uuid primary key,
    user_id uuid not null references users,
    token_hash bytea not null unique,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    revoked_at timestamptz
  );

  create table login_tokens (
    token_hash bytea primary key,
    user_id uuid not null references users,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at timestamptz
  );

  create table encryption_keys (
    id text primary key,
    proof bytea not null,
    created_at timestamptz not null default now()
  );

  create table encryption_root (
    only_one boolean primary key default true check (only_one),
    sealed bytea not null
  );

  create table audit_events (
    seq bigint primary key,
    at timestamptz not null,
    user_id uuid,
    credential text not null,
    action text not null,
    subject_id text,
    details jsonb not null,
    previous_hash bytea not null,
    hash bytea not null
  );
  create index audit_events_reveals on audit_events (user_id, at) where action = 'webhook.secret-revealed';

  create function workhook_refuse_change() returns trigger language plpgsql as $$
  begin
    raise exception 'the audit log is append-only' using errcode = 'insufficient_privilege';
  end $$;
  create trigger audit_events_append_only before update or delete or truncate on audit_events
    for each statement execute function workhook_refuse_change();
`;

const WORKERS = `
  create table workers (
    id text primary key,
    kind text not null check (kind in ('AGENT', 'HTTP', 'CODE', 'WORKFLOW')),
    name text not null,
    description text,
    current_version integer not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
  );

  create table worker_versions (
    worker_id text not null references workers,
    version integer not null,
    definition jsonb not null,
    input_schema jsonb,
    output_schema jsonb,
    timeout_ms integer not null,
    attempts_max integer not null,
    created_at timestamptz not null default now(),
    primary key (worker_id, version)
  );
`;

const WEBHOOKS = `
  create table webhooks (
    id uuid primary key,
    name text not null,
    description text,
    active boolean not null,
    execution_mode text not null check (execution_mode in ('SYNC', 'ASYNC')),
    dispatch text not null check (dispatch in ('PARALLEL', 'SEQUENTIAL')),
    sync_timeout_ms integer,
    auth_method text not null,
    auth_header_name text,
    auth_header_prefix text,
    owner_id uuid not null references users,
    version integer not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
  );
  create index webhooks_listed on webhooks (created_at, id) where deleted_at is null;

  create table webhook_workers (
    webhook_id uuid not null references webhooks,
    position smallint not null,
    worker_id text not null references workers,
    primary key (webhook_id, position)
  );
  create index webhook_workers_worker on webhook_workers (worker_id);

  create table webhook_secrets (
    id uuid primary key,
    webhook_id uuid not null references webhooks,
    version integer not null,
    sealed bytea not null,
    hint text not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    unique (webhook_id, version)
  );
`;

/**
 * Weekly partitions by the time inside a UUIDv7. A DEFAULT partition takes what falls outside, so that a clock that
 * leaps or a maintenance that failed never refuses a call.
 */
const PARTITIONS = `
  create function workhook_uuid_floor(at timestamptz) returns uuid language sql immutable strict parallel safe as $$
    select (lpad(to_hex(greatest(0, floor(extract(epoch from at) * 1000))::bigint), 12, '0') || repeat('0', 20))::uuid
  $$;

  create function workhook_ensure_partitions(at timestamptz, weeks_ahead integer) returns integer
  language plpgsql as $$
  declare
    parent text;
    week timestamptz;
    partition text;
    created integer := 0;
  begin
    foreach parent in array array['calls', 'executions', 'execution_steps', 'execution_events'] loop
      for i in -1..weeks_ahead loop
        week := date_trunc('week', at at time zone 'UTC') at time zone 'UTC' + i * interval '7 days';
        partition := format('%s_%s', parent, to_char(week at time zone 'UTC', 'YYYYMMDD'));
        if to_regclass(partition) is null then
          execute format(
            'create table %I partition of %I for values from (%L) to (%L) with (fillfactor = 70)',
            partition, parent, workhook_uuid_floor(week), workhook_uuid_floor(week + interval '7 days'));
          created := created + 1;
        end if;
      end loop;
    end loop;
    return created;
  end $$;

  create function workhook_drop_partitions_before(horizon timestamptz) returns integer language plpgsql as $$
  declare
    parent text;
    partition text;
    dropped integer := 0;
  begin
    foreach parent in array array['execution_events', 'execution_steps', 'executions', 'calls'] loop
      for partition in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = parent::regclass and c.relname ~ ('^' || parent || '_[0-9]{8}$')
          and to_date(right(c.relname, 8), 'YYYYMMDD')::timestamp at time zone 'UTC' + interval '7 days' <= horizon
      loop
        execute format('drop table %I', partition);
        dropped := dropped + 1;
      end loop;
    end loop;
    return dropped;
  end $$;
`;

/**
 * No foreign keys out of the hot tables: a check would lock the webhook's row for every call. The accept statement
 * proves the webhook instead, once a batch.
 */
const CALLS = `
  create table calls (
    id uuid primary key,
    webhook_id uuid not null,
    received_at timestamptz not null,
    execution_mode text not null,
    dispatch text not null,
    outcome text not null,
    http_status smallint,
    duration_ms integer,
    is_test boolean not null,
    source_ip text,
    request_headers json not null,
    request_body bytea not null,
    rejection_reason text,
    pending smallint not null,
    failures smallint not null default 0,
    finished_at timestamptz
  ) partition by range (id);
  create table calls_default partition of calls default;
  create index calls_webhook on calls (webhook_id, id);

  create table call_statistics (
    webhook_id uuid not null,
    bucket_start timestamptz not null,
    shard smallint not null,
    outcome text not null,
    duration_bucket smallint not null,
    calls bigint not null,
    prompt_tokens bigint not null default 0,
    completion_tokens bigint not null default 0,
    -- The outcome comes early: calls are counted without walking over the durations of those that ended.
    primary key (webhook_id, outcome, bucket_start, shard, duration_bucket)
  ) with (fillfactor = 50);
`;

/**
 * An execution has the same milliseconds in its id as its call, so a call's executions are found by a scan of the
 * primary key over one millisecond; an index on call_id would cost every accept.
 */
const EXECUTIONS = `
  create table executions (
    id uuid primary key,
    call_id uuid not null,
    webhook_id uuid not null,
    worker_id text not null,
    worker_version integer,
    position smallint not null,
    status text not null,
    attempt smallint not null default 0,
    lease_token uuid,
    leased_by uuid,
    queued_at timestamptz not null,
    started_at timestamptz,
    finished_at timestamptz,
    prompt_tokens integer,
    completion_tokens integer,
    result json,
    error json,
    last_event_seq integer not null default 1
  ) partition by range (id);
  create table executions_default partition of executions default;

  create table execution_steps (
    execution_id uuid not null,
    path text not null,
    attempt smallint not null,
    status text not null,
    output json,
    usage json,
    error json,
    started_at timestamptz not null,
    finished_at timestamptz,
    primary key (execution_id, path)
  ) partition by range (execution_id);
  create table execution_steps_default partition of execution_steps default;

  create table execution_events (
    execution_id uuid not null,
    seq integer not null,
    at timestamptz not null,
    kind text not null,
    data json not null,
    primary key (execution_id, seq)
  ) partition by range (execution_id);
  create table execution_events_default partition of execution_events default;
`;

const OPERATIONS = `
  create table runners (
    id uuid primary key,
    host text not null,
    pid integer not null,
    queue_worker_ids text[] not null,
    started_at timestamptz not null default now(),
    heartbeat_at timestamptz not null default now()
  );

  create table rate_limit_policies (
    scope text not null check (scope in ('GLOBAL', 'USER', 'WEBHOOK')),
    subject_id uuid,
    per_minute integer not null check (per_minute >= 0),
    updated_at timestamptz not null default now(),
    unique nulls not distinct (scope, subject_id)
  );

  -- The columns are rate-limiter-flexible's. Unlogged: a count of this minute is not worth a flush to disk.
  create unlogged table rate_limit_windows (
    key varchar(255) primary key,
    points integer not null default 0,
    expire bigint
  ) with (fillfactor = 50);
`;
