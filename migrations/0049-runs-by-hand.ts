import { Migration } from '@mikro-orm/migrations';

/**
 * A worker that is run by hand is run for a call, too. All such calls are of one row that nobody can POST to: it counts
 * as deleted everywhere but in the accept's statement.
 */
export class Migration0049RunsByHand extends Migration {
  override readonly name = '0049-runs-by-hand';

  override up(): void {
    this.addSql(`
      alter table webhooks add column by_hand boolean not null default false check (not by_hand or deleted_at is not null);
      create unique index webhooks_by_hand on webhooks (by_hand) where by_hand;
    `);
  }

  override down(): void {
    this.addSql(`
      drop index if exists webhooks_by_hand;
      alter table webhooks drop column by_hand;
    `);
  }
}
