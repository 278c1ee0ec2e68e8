import { Migration } from '@mikro-orm/migrations';

/** For how long an execution has been put off in all, in milliseconds, so that there is an end to it. */
export class Migration0038PostponedTime extends Migration {
  override readonly name = '0038-postponed-time';

  override up(): void {
    this.addSql('alter table executions add column postponed_ms bigint;');
  }

  override down(): void {
    this.addSql('alter table executions drop column postponed_ms;');
  }
}
