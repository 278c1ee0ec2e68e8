import { Migration } from '@mikro-orm/migrations';

/**
 * What a step of a workflow goes on from: `state` is small and ours (its kind, its tries, until when it waits, what a
 * person decided), `input` is what it was given. Approvals that wait are found by an index of their own: it has a row
 * only while one waits.
 */
export class Migration0046WorkflowSteps extends Migration {
  override readonly name = '0046-workflow-steps';

  override up(): void {
    this.addSql(`
      alter table execution_steps add column state jsonb, add column input json;
      create index execution_steps_approvals on execution_steps (execution_id, path)
        where status = 'WAITING' and state ->> 'kind' = 'approval' and state -> 'decision' is null;
    `);
  }

  override down(): void {
    this.addSql(`
      drop index if exists execution_steps_approvals;
      alter table execution_steps drop column state, drop column input;
    `);
  }
}
