import { Migration } from '@mikro-orm/migrations';

/** Models, what they were paid, and what a webhook may spend. */
export class Migration0008Models extends Migration {
  override readonly name = '0008-models';

  override up(): void {
    this.addSql(MODELS);
    this.addSql(USAGE);
    this.addSql(SPEND);
    this.addSql('alter table calls add column answer_by timestamptz');
  }

  override down(): void {
    this.addSql(`
      drop table if exists spend_days, spend_caps, model_leases, model_usage, models;
      alter table call_statistics drop column cost_nanos;
      alter table executions drop column cached_tokens, drop column cost_nanos, drop column run_day,
        drop column last_step_id;
      alter table calls drop column answer_by;
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
