import { Migration } from '@mikro-orm/migrations';

/**
 * The rules that a webhook applies to what arrives, and users' own providers.
 *
 * Rules are one document: they are read and written together, and a webhook without any costs a column that is `{}`.
 * A provider's id is text (`provider-…`) beside the names of the built-in ones, all in `webhooks.auth_provider`.
 */
export class Migration0004WebhookRules extends Migration {
  override readonly name = '0004-webhook-rules';

  override up(): void {
    this.addSql(`
      alter table webhooks add column rules jsonb not null default '{}';
      create table providers (
        id text primary key,
        name text not null,
        definition jsonb not null,
        version integer not null,
        created_at timestamptz not null,
        updated_at timestamptz not null
      );
      create index webhooks_auth_provider on webhooks (auth_provider) where auth_provider is not null;
    `);
  }

  override down(): void {
    this.addSql(`
      drop index if exists webhooks_auth_provider;
      drop table if exists providers;
      alter table webhooks drop column rules;
    `);
  }
}
