import { readRequestBody } from '../../calls/read-call.js';
import { AppError } from '../../errors.js';
import { topics } from '../../events/event.js';
import type { ExecutionView } from '../../executions/execution-view.js';
import { followExecution } from '../../executions/follow-execution.js';
import { readExecution } from '../../executions/read-executions.js';
import { isTerminal } from '../../executions/states.js';
import type { Logger } from '../../lib/logger.js';
import { EventStreamResponse, isOver, type EventStreamTimes } from '../event-stream.js';
import { executionBody } from '../result-bodies.js';
import type { ResultWaiter, ResultWaiters } from '../result-waiters.js';
import type { HttpContext } from '../state.js';

export interface ExecutionStreamOptions {
  readonly waiters: ResultWaiters;
  readonly times: EventStreamTimes;
  /** Whether the caller may still read this execution; asked again at every heartbeat. */
  readonly isAllowed: () => Promise<boolean>;
  readonly log: Logger;
}

/** Whether a request wants events rather than the JSON that it gets by default. */
export function wantsEventStream(ctx: HttpContext): boolean {
  return ctx.method === 'GET' && ctx.accepts('application/json', 'text/event-stream') === 'text/event-stream';
}

/**
 * Streams an execution: `status`, `step` and `delta` for its events, and `done` with the body of the plain GET. Ids are the
 * numbers of the events; `done` has the number behind the last. A client that comes back with the id of `done` is
 * told by 204 not to come again (HTML Standard, 9.2.3).
 *
 * Resolves when the stream has begun; it goes on by itself.
 *
 * @param found the execution as it was read for the authorization.
 * @throws AppError BAD_USER_INPUT, TOO_MANY_WAITERS.
 */
export async function streamExecution(
  ctx: HttpContext,
  found: ExecutionView,
  options: ExecutionStreamOptions,
): Promise<void> {
  const { waiters, log } = options;
  const waiter = waiters.enter([topics.execution(found.id), topics.executionProgress(found.id)]);
  let execution: ExecutionView;
  try {
    execution = (await readExecution(waiters.sql, found.id)) ?? found;
  } catch (error) {
    waiter.leave();
    throw error;
  }
  const afterSeq = lastEventId(ctx);
  const ended = isTerminal(execution.status);
  if (afterSeq === undefined || afterSeq > execution.lastEventSeq + (ended ? 1 : 0)) {
    waiter.leave();
    throw new AppError('BAD_USER_INPUT', 'Last-Event-ID is not the id of an event of this execution.');
  }
  if (afterSeq > execution.lastEventSeq) {
    waiter.leave();
    ctx.status = 204;
    return;
  }
  ctx.respond = false;
  ctx.status = 200;
  void stream(ctx, execution, afterSeq, waiter, options).catch((error: unknown) => {
    // The client comes back for the rest.
    log.warn({ err: error, requestId: ctx.state.requestId }, 'a stream of events was cut');
    ctx.res.destroy();
  });
}

async function stream(
  ctx: HttpContext,
  execution: ExecutionView,
  afterSeq: number,
  waiter: ResultWaiter,
  { waiters, times, isAllowed }: ExecutionStreamOptions,
): Promise<void> {
  const { res } = ctx;
  const cutUnlessAllowed = async (): Promise<void> => {
    // A database that is away for a moment takes nobody's permission.
    const allowed = await isAllowed().catch((error: unknown) => !(error instanceof AppError));
    if (!allowed) res.destroy();
  };
  const { sql } = waiters;
  res.once('close', waiter.leave);
  try {
    if (isOver(res)) return;
    const response = new EventStreamResponse(res, times, () => void cutUnlessAllowed());
    let seq = afterSeq;
    for await (const { seq: id, at, kind, data } of followExecution(sql, waiter.hints, execution, afterSeq)) {
      seq = id;
      const event = kind === 'text' ? 'delta' : kind;
      await response.send({ event, id: String(id), data: JSON.stringify({ at, ...(JSON.parse(data) as object) }) });
      if (isOver(res)) return;
    }
    const last = await readExecution(sql, execution.id);
    if (last !== undefined && isTerminal(last.status) && seq >= last.lastEventSeq) {
      const body = executionBody(last, await readRequestBody(sql, last.callId));
      await response.send({ event: 'done', id: String(seq + 1), data: body.toString() });
    }
    response.end();
  } finally {
    waiter.leave();
  }
}

/** The number behind which to go on, 0 without one; the header counts, which a client that comes back sends by itself. */
function lastEventId(ctx: HttpContext): number | undefined {
  const { lastEventId: inQuery } = ctx.query;
  const id = ctx.get('Last-Event-ID') || (inQuery ?? '0');
  return typeof id === 'string' && /^\d{1,9}$/.test(id) ? Number(id) : undefined;
}
