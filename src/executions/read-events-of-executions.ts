import type { Sql } from '../db/database.js';
import { asJsonText } from '../lib/json-text.js';
import type { ExecutionEventView } from './read-events.js';

/** The first event is made from the execution's row, as `read-events.ts` explains. */
const READ = `
  select e.id as "executionId", 1 as seq, e.queued_at as at, 'status' as kind,
    json_build_object('status', case when c.dispatch = 'SEQUENTIAL' and e.position > 0 then 'WAITING' else 'QUEUED' end,
      'attempt', 0)::text as data
  from executions e join calls c on c.id = e.call_id where e.id = any($1::uuid[])
  union all
  select execution_id, seq, at, kind, data::text from execution_events where execution_id = any($1::uuid[])
  order by 1, seq`;

/**
 * Reads all that happened to each of some executions, oldest first, in one statement, for a data loader. An execution
 * has a few events an attempt and at most a hundred attempts.
 */
export async function readEventsOfExecutions(
  sql: Sql,
  executionIds: readonly string[],
): Promise<ReadonlyMap<string, readonly ExecutionEventView[]>> {
  const { rows } = await sql.query<Omit<ExecutionEventView, 'data'> & { executionId: string; data: string }>({
    name: 'read-events-of-executions',
    text: READ,
    values: [executionIds],
  });
  const events = rows.map(({ executionId, seq, at, kind, data }) => ({
    executionId,
    event: { seq, at, kind, data: asJsonText(data) },
  }));
  return new Map(
    Map.groupBy(events, ({ executionId }) => executionId)
      .entries()
      .map(([id, ofOne]) => [id, ofOne.map(({ event }) => event)]),
  );
}
