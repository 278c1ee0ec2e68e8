import { Migration } from '@mikro-orm/migrations';

/** Webhooks whose calls are not as they used to be. */
export class Migration0014Alerts extends Migration {
  override readonly name = '0014-alerts';

  override up(): void {
    this.addSql(ALERTS);
  }

  override down(): void {
    this.addSql('drop table if exists alerts;');
  }
}

/**
 * `ended_at` says that the pattern is over. Whoever resolves an alert while it goes on leaves it null, and the index
 * keeps the same pattern from being told a second time.
 */
const ALERTS = `
  create table alerts (
    id uuid primary key,
    webhook_id uuid not null references webhooks,
    kind text not null check (kind in ('FAILURES', 'REJECTIONS', 'SURGE', 'SILENCE')),
    status text not null default 'OPEN' check (status in ('OPEN', 'ACKNOWLEDGED', 'RESOLVED')),
    observed double precision not null,
    expected double precision not null,
    calls bigint not null,
    opened_at timestamptz not null,
    last_seen_at timestamptz not null,
    ended_at timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by uuid references users,
    resolved_at timestamptz,
    resolved_by uuid references users,
    changed_at timestamptz not null default now()
  );
  create unique index alerts_going_on on alerts (webhook_id, kind) where ended_at is null;
  create index alerts_of_webhook on alerts (webhook_id, id);
  create index alerts_changed on alerts (changed_at);
`;
