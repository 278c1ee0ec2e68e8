import type { Sql } from '../db/database.js';
import { asJsonText, type JsonText } from '../lib/json-text.js';

/** One thing that happened to an execution; `seq` counts from 1 without a gap. */
export interface ExecutionEventView {
  readonly seq: number;
  readonly at: Date;
  /**
   * `status`: its state changed; `data` is `{"status", "attempt"}`. `step`: a step began or ended; `{"path", "status",
   * "attempt"}`. `text`: a piece of text, see `TextEventData`.
   */
  readonly kind: 'status' | 'step' | 'text';
  readonly data: JsonText;
}

type EventRow = Omit<ExecutionEventView, 'data'> & { readonly data: string };

/**
 * The first event is made from the execution's row (`e`) and its call's (`c`): writing it would cost every accept an
 * insert. An execution of a call under flow control, or one that is not the first of a sequence, begins as WAITING,
 * every other one as QUEUED.
 */
export const FIRST_EVENT_SQL = `
  1 as seq, e.queued_at as at, 'status' as kind,
  json_build_object('status', case when (c.flow = 'HELD' and e.retry_of is null) or (c.dispatch = 'SEQUENTIAL' and e.position > 0) then 'WAITING' else 'QUEUED' end,
    'attempt', 0)::text as data`;

const READ = `
  (select ${FIRST_EVENT_SQL} from executions e join calls c on c.id = e.call_id where e.id = $1 and $2 < 1)
  union all
  (select seq, at, kind, data::text from execution_events where execution_id = $1 and seq > $2 order by seq limit $3)
  order by seq limit $3`;

const READ_OF_EACH = `
  select e.id as "executionId", ${FIRST_EVENT_SQL}
  from executions e join calls c on c.id = e.call_id where e.id = any($1::uuid[])
  union all
  select execution_id, seq, at, kind, data::text from execution_events
  where execution_id = any($1::uuid[]) and kind <> 'text'
  order by 1, seq`;

/**
 * Reads what happened to an execution after an event, oldest first.
 *
 * @param afterSeq 0 reads from the beginning.
 * @param limit the most events in the answer.
 */
export async function readExecutionEvents(
  sql: Sql,
  executionId: string,
  afterSeq: number,
  limit: number,
): Promise<ExecutionEventView[]> {
  const values = [executionId, afterSeq, limit];
  const { rows } = await sql.query<EventRow>({ name: 'read-execution-events', text: READ, values });
  return rows.map(toEventView);
}

/**
 * Reads all that happened to each of some executions, oldest first, in one statement, for a data loader. Text is left
 * out: it comes in thousands of pieces.
 */
export async function readEventsOfExecutions(
  sql: Sql,
  executionIds: readonly string[],
): Promise<ReadonlyMap<string, readonly ExecutionEventView[]>> {
  const { rows } = await sql.query<EventRow & { readonly executionId: string }>({
    name: 'read-events-of-executions',
    text: READ_OF_EACH,
    values: [executionIds],
  });
  return new Map(
    Map.groupBy(rows, ({ executionId }) => executionId)
      .entries()
      .map(([id, ofOne]) => [id, ofOne.map(toEventView)]),
  );
}

function toEventView({ seq, at, kind, data }: EventRow): ExecutionEventView {
  return { seq, at, kind, data: asJsonText(data) };
}
