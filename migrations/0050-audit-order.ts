import { Migration } from '@mikro-orm/migrations';

/**
 * The audit log begins at 1: no event can be put before its first one. Only for what is written from now on: a log that
 * was tampered with already must not keep the gateway from starting; `workhook audit` tells of it.
 */
export class Migration0050AuditOrder extends Migration {
  override readonly name = '0050-audit-order';

  override up(): void {
    this.addSql('alter table audit_events add constraint audit_events_seq check (seq > 0) not valid;');
  }

  override down(): void {
    this.addSql('alter table audit_events drop constraint audit_events_seq;');
  }
}
