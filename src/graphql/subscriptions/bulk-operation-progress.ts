import { Arg, Authorized, ID, Resolver, Root, Subscription } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { readBulkOperations } from '../../bulk/read-bulk.js';
import type { Sql } from '../../db/database.js';
import { AppError } from '../../errors.js';
import { topics } from '../../events/event.js';
import type { GraphqlContext, GraphqlServices } from '../context.js';
import { readId } from '../public-id.js';
import { BulkOperationObject } from '../types/bulk-operation.js';
import { Hints } from './hints.js';
import { type LiveStream, liveStream } from './live-stream.js';

/** Four updates a second at most. */
const PACE_MS = 250;

@Resolver()
export class BulkOperationProgressResolver {
  @Authorized<Permission>('executions:read')
  @Subscription(() => BulkOperationObject, {
    description:
      'How a bulk operation gets on: its present state at once, then each time that it changed, four times a second at most. Completes when it has ended.',
    subscribe: async ({ args, context }) => {
      const { services } = context as GraphqlContext;
      const id = readId('bulkOperation', (args as { id: string }).id);
      const known = await readBulkOperations(services.database.pool, [id]);
      if (!known.has(id)) throw new AppError('NOT_FOUND', 'There is no such bulk operation.');
      return bulkProgress(services, id);
    },
  })
  bulkOperationProgress(
    @Root() operation: BulkOperationObject,
    @Arg('id', () => ID, { description: 'The operation.' }) _id: string,
  ): BulkOperationObject {
    return operation;
  }
}

function bulkProgress(services: GraphqlServices, id: string): LiveStream<BulkOperationObject> {
  const hints = new Hints(services.hub, [topics.bulkOperation(id)]);
  return liveStream({ source: hints, sql: services.database.pool, start: (sql) => follow(sql, id, hints) });
}

async function* follow(sql: Sql, id: string, hints: Hints): AsyncGenerator<BulkOperationObject, void, void> {
  do {
    hints.forget(); // what is heard from here on may come too late for this reading
    const view = (await readBulkOperations(sql, [id])).get(id);
    if (view === undefined) return;
    yield new BulkOperationObject(view);
    if (view.status === 'COMPLETED' || view.status === 'CANCELED') return;
    await hints.pause(PACE_MS);
  } while ((await hints.take()) !== undefined);
}
