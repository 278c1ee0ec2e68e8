import type { Sql } from '../db/database.js';
import type { EventStream } from '../events/event-hub.js';
import type { ExecutionView } from './execution-view.js';
import { type ExecutionEventView, readExecutionEvents } from './read-events.js';
import { isTerminal, type ExecutionStatus } from './states.js';

/** Events that are read at a time. */
const PAGE = 100;

/**
 * Gives what happens to an execution, each event once and in order, until the one that ends it. Reads only when asked
 * for more, so whoever is slow holds a page and no more.
 *
 * @param hints of this execution, subscribed to before `execution` was read. Closing it ends this at the next event.
 * @param execution as it is now.
 * @param afterSeq the event behind which to begin; 0 is the beginning.
 */
export async function* followExecution(
  sql: Sql,
  hints: EventStream,
  execution: Pick<ExecutionView, 'id' | 'status' | 'lastEventSeq'>,
  afterSeq: number,
): AsyncGenerator<ExecutionEventView, void, undefined> {
  if (isTerminal(execution.status) && afterSeq >= execution.lastEventSeq) return;
  const heard = hints[Symbol.asyncIterator]();
  let seq = afterSeq;
  for (;;) {
    const events: readonly ExecutionEventView[] = await readExecutionEvents(sql, execution.id, seq, PAGE);
    for (const event of events) {
      seq = event.seq;
      yield event;
      if (event.kind === 'status' && isTerminal(statusOf(event))) return;
    }
    if (events.length === PAGE) continue;
    for (;;) {
      const hint = await heard.next();
      if (hint.done === true) return;
      // A hint of what has been read already; every other one, also that some were missed, is a reason to read.
      if (!('seq' in hint.value) || hint.value.seq > seq) break;
    }
  }
}

function statusOf(event: ExecutionEventView): ExecutionStatus {
  return (JSON.parse(event.data) as { readonly status: ExecutionStatus }).status;
}
