import { Arg, Authorized, ID, Resolver, Root, Subscription } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import type { Sql } from '../../db/database.js';
import { AppError } from '../../errors.js';
import { topics } from '../../events/event.js';
import type { EventHub } from '../../events/event-hub.js';
import { followExecution } from '../../executions/follow-execution.js';
import type { ExecutionEventView } from '../../executions/read-events.js';
import { readExecution } from '../../executions/read-executions.js';
import type { GraphqlContext } from '../context.js';
import { readId } from '../public-id.js';
import { ExecutionEventObject, executionEventObject, eventSeq } from '../types/execution-event.js';
import { type LiveStream, liveStream } from './live-stream.js';

@Resolver()
export class ExecutionEventsResolver {
  @Authorized<Permission>('executions:read')
  @Subscription(() => ExecutionEventObject, {
    description:
      'What happens to an execution, from its beginning or behind `after`, without a gap and each event once. Completes after the event that ends the execution.',
    subscribe: async ({ args, context }) => {
      const { executionId, after } = args as { executionId: string; after?: string | null };
      const { database, hub } = (context as GraphqlContext).services;
      const id = readId('execution', executionId);
      return await executionEvents({ sql: database.pool, hub }, id, after ?? undefined);
    },
  })
  executionEvents(
    @Root() event: ExecutionEventObject,
    @Arg('executionId', () => ID, { description: 'The execution.' }) _executionId: string,
    @Arg('after', () => String, { nullable: true, description: 'The cursor of the last event that you have.' })
    _after?: string | null,
  ): ExecutionEventObject {
    return event;
  }
}

/**
 * Follows an execution. Listens first and reads then, so that nothing falls in between.
 *
 * @param executionId a UUID.
 * @param after a cursor of one of its events.
 * @throws AppError NOT_FOUND, BAD_USER_INPUT.
 */
async function executionEvents(
  { sql, hub }: { readonly sql: Sql; readonly hub: EventHub },
  executionId: string,
  after?: string,
): Promise<LiveStream<ExecutionEventObject>> {
  const stream = hub.subscribe([topics.execution(executionId), topics.executionProgress(executionId)]);
  try {
    const execution = await readExecution(sql, executionId);
    if (execution === undefined) throw new AppError('NOT_FOUND');
    const afterSeq = after === undefined ? 0 : eventSeq(executionId, after);
    if (afterSeq === undefined || afterSeq > execution.lastEventSeq) {
      throw new AppError('BAD_USER_INPUT', 'This is not the cursor of an event of this execution.');
    }
    return liveStream({
      source: stream,
      sql,
      start: (patient) => eventObjects(executionId, followExecution(patient, stream, execution, afterSeq)),
    });
  } catch (error) {
    stream.close();
    throw error;
  }
}

async function* eventObjects(
  executionId: string,
  events: AsyncIterable<ExecutionEventView>,
): AsyncGenerator<ExecutionEventObject, void, void> {
  for await (const view of events) yield executionEventObject(executionId, view);
}
