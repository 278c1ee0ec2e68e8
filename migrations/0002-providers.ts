import { Migration } from '@mikro-orm/migrations';

/** Which sender a webhook of the method PROVIDER is for: a row of the table of providers. */
export class Migration0002Providers extends Migration {
  override readonly name = '0002-providers';

  override up(): void {
    this.addSql(`
      alter table webhooks add column auth_provider text,
        add constraint webhooks_auth_provider check ((auth_method = 'PROVIDER') = (auth_provider is not null))`);
  }

  override down(): void {
    this.addSql(`alter table webhooks drop column auth_provider`);
  }
}
