import { Migration } from '@mikro-orm/migrations';

/** Models, what they were paid, and what a webhook may spend. */
export class Migration0008Models extends Migration {
  override readonly name = '0008-models';

  override up(): void {
    this.addSql(MODELS);
    this.addSql(USAGE);
    this.addSql(SPEND);
    this.addSql(ADMISSION);
  }

  override down(): void {
    this.addSql(`
      drop function if exists workhook_admit_step(uuid, uuid, uuid, bigint, bigint, integer);
      drop function if exists workhook_admit_run(uuid, uuid);
      drop table if exists spend_days, spend_caps, model_leases, model_usage, models;
      alter table call_statistics drop column cost_nanos;
      alter table executions drop column cached_tokens, drop column cost_nanos, drop column run_day,
        drop column last_step_id;
    `);
  }
}

/**
 * Prices are nano-dollars for a million tokens, so that every price list's number is whole. `managed_by` names the
 * settings of the environment that a row comes from. Limits of 0 are none.
 *
 * A lease is one step under way: it counts against the model's concurrency and holds what its webhook may yet spend.
 * One whose process does not renew it is over.
 */
const MODELS = `
  create table models (
    id uuid primary key,
    name text not null,
    provider text not null check (provider in ('OPENAI_COMPATIBLE', 'OPENAI', 'ANTHROPIC', 'GOOGLE')),
    base_url text,
    model_name text not null,
    api_key_sealed bytea,
    api_key_version integer not null default 0,
    api_key_hint text,
    prompt_price bigint not null default 0,
    completion_price bigint not null default 0,
    cached_price bigint,
    requests_per_minute integer not null default 600,
    tokens_per_minute integer not null default 0,
    concurrency_max integer not null default 0,
    structured_outputs boolean not null default true,
    is_default boolean not null default false,
    managed_by text,
    paused_until timestamptz,
    version integer not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
  );
  create unique index models_default on models (is_default) where is_default and deleted_at is null;
  create unique index models_managed on models (managed_by) where managed_by is not null;

  create table model_leases (
    id uuid primary key,
    model_id uuid not null,
    webhook_id uuid,
    tokens bigint not null,
    cost_nanos bigint not null,
    expires_at timestamptz not null
  );
  create index model_leases_model on model_leases (model_id);
  create index model_leases_webhook on model_leases (webhook_id) where webhook_id is not null;
`;

/** Days are UTC. */
const USAGE = `
  create table model_usage (
    webhook_id uuid not null,
    day date not null,
    model_id uuid not null,
    steps bigint not null,
    prompt_tokens bigint not null,
    completion_tokens bigint not null,
    cached_tokens bigint not null,
    cost_nanos bigint not null,
    primary key (webhook_id, day, model_id)
  ) with (fillfactor = 50);
  create index model_usage_day on model_usage (day);

  alter table executions add column cached_tokens integer, add column cost_nanos bigint, add column run_day date,
    add column last_step_id uuid;
  alter table call_statistics add column cost_nanos bigint not null default 0;
`;

const SPEND = `
  create table spend_caps (
    webhook_id uuid primary key references webhooks,
    tokens_per_day bigint,
    cost_nanos_per_day bigint,
    runs_per_day bigint,
    updated_at timestamptz not null default now()
  );

  create table spend_days (
    webhook_id uuid not null,
    day date not null,
    runs bigint not null,
    primary key (webhook_id, day)
  ) with (fillfactor = 50);
`;

/**
 * Functions, because each statement of one sees what was committed before it: a single statement that waits for the lock
 * would count what was there before it waited. Rows are locked model before cap.
 *
 * A step may begin while its webhook's day has something left beyond what was spent and what the steps under way hold.
 * `wait`: there may be something left when those have ended.
 */
const ADMISSION = `
  create function workhook_admit_step(step uuid, model uuid, webhook uuid, wanted_tokens bigint, wanted_cost bigint,
    lease_ms integer) returns text language plpgsql as $$
  declare
    leases_max integer;
    cap spend_caps;
    spent_tokens bigint;
    spent_cost bigint;
    held_tokens bigint;
    held_cost bigint;
  begin
    select concurrency_max into leases_max from models where id = model for update;
    delete from model_leases where model_id = model and expires_at <= clock_timestamp();
    if leases_max > 0 and (select count(*) from model_leases where model_id = model) >= leases_max then
      return 'busy';
    end if;
    select * into cap from spend_caps where webhook_id = webhook for update;
    if found and (cap.tokens_per_day is not null or cap.cost_nanos_per_day is not null) then
      select coalesce(sum(prompt_tokens + completion_tokens), 0), coalesce(sum(cost_nanos), 0)
        into spent_tokens, spent_cost from model_usage
        where webhook_id = webhook and day = (clock_timestamp() at time zone 'UTC')::date;
      if spent_tokens >= cap.tokens_per_day then return 'tokens'; end if;
      if spent_cost >= cap.cost_nanos_per_day then return 'cost'; end if;
      select coalesce(sum(tokens), 0), coalesce(sum(cost_nanos), 0) into held_tokens, held_cost from model_leases
        where webhook_id = webhook and expires_at > clock_timestamp();
      if spent_tokens + held_tokens >= cap.tokens_per_day or spent_cost + held_cost >= cap.cost_nanos_per_day then
        return 'wait';
      end if;
    end if;
    insert into model_leases (id, model_id, webhook_id, tokens, cost_nanos, expires_at)
    values (step, model, webhook, wanted_tokens, wanted_cost,
      clock_timestamp() + lease_ms * interval '1 millisecond');
    return 'admitted';
  end $$;

  create function workhook_admit_run(execution uuid, webhook uuid) returns boolean language plpgsql as $$
  declare
    runs_max bigint;
    today date;
  begin
    select runs_per_day into runs_max from spend_caps where webhook_id = webhook for update;
    if runs_max is null then return true; end if;
    today := (clock_timestamp() at time zone 'UTC')::date;
    perform 1 from executions where id = execution and run_day is not null;
    if found then return true; end if;
    insert into spend_days (webhook_id, day, runs) values (webhook, today, 0) on conflict do nothing;
    update spend_days set runs = runs + 1 where webhook_id = webhook and day = today and runs < runs_max;
    if not found then return false; end if;
    update executions set run_day = today where id = execution;
    return true;
  end $$;
`;
