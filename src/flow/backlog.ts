import type { Sql } from '../db/database.js';

/**
 * The webhooks that have calls here are found by leaping from one to the next in the index; what each of them has is
 * one look into the index for each state.
 */
const TO_RELEASE = `
  with recursive webhook_ids as (
    (select webhook_id as id from flow_calls order by webhook_id limit 1)
    union all
    select (select webhook_id from flow_calls where webhook_id > w.id order by webhook_id limit 1)
    from webhook_ids w where w.id is not null
  )
  select w.id from webhook_ids i join webhooks w on w.id = i.id
  where exists (select from flow_calls where webhook_id = w.id and state = 'NEW')
    or exists (select from flow_calls where webhook_id = w.id and state = 'ENDED')
    or exists (select from flow_calls where webhook_id = w.id and state = 'HELD' and w.paused and w.deleted_at is not null)
    or exists (select from flow_calls where webhook_id = w.id and state = 'READY' and due_at <= now()
      and (not w.paused or w.deleted_at is not null))`;

/** The webhooks of which a call may have its turn now. */
export async function webhooksToRelease(sql: Sql): Promise<readonly string[]> {
  const { rows } = await sql.query<{ id: string }>({ name: 'webhooks-to-release', text: TO_RELEASE });
  return rows.map(({ id }) => id);
}

const MARK_ENDED = `
  update flow_calls f set state = 'ENDED'
  where f.state = 'RUNNING' and not exists (select from calls c where c.id = f.call_id and c.finished_at is null)`;

/** Takes note of calls that have ended, or are gone, without a word to the flow. */
export async function markEnded(sql: Sql): Promise<void> {
  await sql.query({ name: 'mark-ended-flow-calls', text: MARK_ENDED });
}
