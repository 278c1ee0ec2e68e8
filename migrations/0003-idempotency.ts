import { Migration } from '@mikro-orm/migrations';

/** By what a repeated call is known: durable keys, and what a webhook says about them. */
export class Migration0003Idempotency extends Migration {
  override readonly name = '0003-idempotency';

  override up(): void {
    this.addSql(KEYS);
    this.addSql(`
      alter table webhooks
        add column idempotency_window_ms integer,
        add column idempotency_pointer text;
      alter table calls add column delivery_id text;
    `);
  }

  override down(): void {
    this.addSql(`
      drop table if exists idempotency_keys;
      alter table webhooks drop column idempotency_window_ms, drop column idempotency_pointer;
      alter table calls drop column delivery_id;
    `);
  }
}

/**
 * Not partitioned: a unique index over partitions must contain what they are divided by, and a key is unique whatever
 * its time is. Rows are small and die after a day; maintenance deletes them by `expires_at`.
 *
 * `key_hash` is of the webhook, the kind of key and the key, so that webhooks share none. `started` is what the first
 * call's caller was told: the executions and their workers. A repeat writes its row again with the values that it has
 * (to read what another transaction has just committed), in place, so pages keep room for that.
 */
const KEYS = `
  create table idempotency_keys (
    key_hash bytea primary key,
    call_id uuid not null,
    body_hash bytea not null,
    started json not null,
    expires_at timestamptz not null
  ) with (fillfactor = 80);
  create index idempotency_keys_expiry on idempotency_keys (expires_at);
`;
