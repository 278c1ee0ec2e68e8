import { Arg, Authorized, ID, Resolver, Root, Subscription } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { AppError } from '../../errors.js';
import { type Topic, topics } from '../../events/event.js';
import {
  checkFollowCursor,
  followCall,
  type FollowCursor,
  type Followed,
  type FollowedEvent,
  type FollowManyOptions,
  followWebhook,
  readFollowCursor,
} from '../../executions/follow-many.js';
import { webhookExists } from '../../webhooks/manage/webhook-exists.js';
import type { GraphqlContext } from '../context.js';
import { readId } from '../public-id.js';
import { ExecutionEventObject, executionEventObject } from '../types/execution-event.js';
import { Hints } from './hints.js';
import { type LiveStream, liveStream } from './live-stream.js';

interface WebhookArguments {
  readonly webhookId: string;
  readonly after?: string | null;
  readonly includeText: boolean;
}

/** A cursor of these subscriptions is not one of `executionEvents`. */
const AFTER = 'The cursor of the last event that you have from this subscription.';

@Resolver()
export class ManyExecutionEventsResolver {
  @Authorized<Permission>('executions:read')
  @Subscription(() => ExecutionEventObject, {
    description:
      'What happens to all executions of a webhook, from now on or behind `after`, without a gap and each event once. An execution is told of from when it first runs. Events come in the order in which they were committed, an execution’s own in theirs.',
    subscribe: async ({ args, context }) => {
      const { webhookId: publicId, after, includeText } = args as WebhookArguments;
      const webhookId = readId('webhook', publicId);
      if (!(await webhookExists((context as GraphqlContext).services.database.pool, webhookId))) {
        throw new AppError('NOT_FOUND');
      }
      const cursor = await cursorOf(context as GraphqlContext, after, { webhookId });
      return follow(
        context as GraphqlContext,
        [topics.webhookExecutions(webhookId), topics.webhookProgress(webhookId)],
        (options) => followWebhook(options, webhookId, cursor),
        includeText,
      );
    },
  })
  webhookExecutionEvents(
    @Root() event: ExecutionEventObject,
    @Arg('webhookId', () => ID, { description: 'The webhook.' }) _webhookId: string,
    @Arg('after', () => String, { nullable: true, description: AFTER }) _after?: string | null,
    @Arg('includeText', () => Boolean, { defaultValue: false, description: 'Whether pieces of text are told too.' })
    _includeText?: boolean,
  ): ExecutionEventObject {
    return event;
  }

  @Authorized<Permission>('executions:read')
  @Subscription(() => ExecutionEventObject, {
    description:
      'What happens to the executions of a call, from its beginning or behind `after`, without a gap and each event once. Completes when all of them have ended.',
    subscribe: async ({ args, context }) => {
      const { callId, after } = args as { callId: string; after?: string | null };
      const { loaders } = context as GraphqlContext;
      const id = readId('call', callId);
      if ((await loaders.calls.load(id)) === undefined) throw new AppError('NOT_FOUND');
      const cursor = await cursorOf(context as GraphqlContext, after, { callId: id });
      return follow(
        context as GraphqlContext,
        [topics.callExecutions(id), topics.callProgress(id)],
        (options) => followCall(options, id, cursor),
        true,
      );
    },
  })
  callExecutionEvents(
    @Root() event: ExecutionEventObject,
    @Arg('callId', () => ID, { description: 'The call.' }) _callId: string,
    @Arg('after', () => String, { nullable: true, description: AFTER }) _after?: string | null,
  ): ExecutionEventObject {
    return event;
  }
}

/** @throws AppError BAD_USER_INPUT. */
async function cursorOf(
  { services }: GraphqlContext,
  after: string | null | undefined,
  of: Followed,
): Promise<FollowCursor | undefined> {
  if (after === undefined || after === null) return undefined;
  const cursor = readFollowCursor(after);
  if (cursor === undefined) throw new AppError('BAD_USER_INPUT', 'This is not a cursor of this subscription.');
  await checkFollowCursor(services.database.pool, cursor, of);
  return cursor;
}

/** Listens first, so that nothing falls between the first reading and the first hint. */
function follow(
  { services: { database, hub } }: GraphqlContext,
  heardOf: readonly Topic[],
  start: (options: FollowManyOptions) => AsyncIterable<FollowedEvent>,
  includeText: boolean,
): LiveStream<ExecutionEventObject> {
  const news = new Hints(hub, heardOf);
  return liveStream({
    source: news,
    sql: database.pool,
    start: (sql) => objectsOf(start({ sql, news, caughtUp: () => hub.caughtUp() }), includeText),
  });
}

async function* objectsOf(
  events: AsyncIterable<FollowedEvent>,
  includeText: boolean,
): AsyncGenerator<ExecutionEventObject, void, void> {
  for await (const { executionId, event, cursor } of events) {
    if (includeText || event.kind !== 'text') yield executionEventObject(executionId, event, cursor);
  }
}
