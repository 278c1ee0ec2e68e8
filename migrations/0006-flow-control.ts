import { Migration } from '@mikro-orm/migrations';

/** Which of a webhook's calls may run when: its settings, and the calls that wait or run under them. */
export class Migration0006FlowControl extends Migration {
  override readonly name = '0006-flow-control';

  override up(): void {
    this.addSql(FLOW_CALLS);
    this.addSql(`
      alter table webhooks
        add column flow_concurrency integer,
        add column flow_key text,
        add column flow_debounce_ms integer,
        add column flow_debounce_max_ms integer,
        add column paused boolean not null default false;
      alter table calls add column flow text;
    `);
  }

  override down(): void {
    this.addSql(`
      drop table if exists flow_calls;
      alter table webhooks drop column flow_concurrency, drop column flow_key, drop column flow_debounce_ms,
        drop column flow_debounce_max_ms, drop column paused;
      alter table calls drop column flow;
    `);
  }
}

/**
 * One row a call of a webhook with flow control, from its accept until it has ended.
 *
 * NEW: nobody has looked at it yet. HELD: another call is before it in its lane. READY: its turn in its lane; it waits
 * for its time, for room or for the end of a pause. RUNNING: its executions have jobs. ENDED: they are all terminal.
 * Only a release, which holds the webhook's row, makes the moves between them; the accept inserts NEW, and the end of a
 * call writes ENDED over RUNNING. So what a crash leaves undone is seen by the next release.
 *
 * `lane` is empty for a call that belongs to none. `due_at` is not known for a call that is to be debounced until a
 * release has looked at it; `burst_at` is when the first call came of those that it took the place of.
 *
 * Rows are rewritten a few times and die: pages keep room. The first index finds what a release has to look at, in the
 * order of running; the second one the head and the end of a lane.
 */
const FLOW_CALLS = `
  create table flow_calls (
    call_id uuid primary key,
    webhook_id uuid not null,
    lane bytea not null,
    seq bigint generated always as identity,
    state text not null default 'NEW' check (state in ('NEW', 'HELD', 'READY', 'RUNNING', 'ENDED')),
    accepted_at timestamptz not null default now(),
    burst_at timestamptz,
    due_at timestamptz
  ) with (fillfactor = 70);
  create index flow_calls_turn on flow_calls (webhook_id, state, due_at, seq);
  create index flow_calls_lane on flow_calls (webhook_id, lane, state, seq);
`;
