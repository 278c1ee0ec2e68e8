import { Arg, Args, Authorized, Ctx, FieldResolver, ID, Query, Resolver, Root } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { countWorkers, readWorkers, type WorkerKey } from '../../workers/read-workers.js';
import type { WorkerKind as WorkerKindName } from '../../workers/worker.entities.js';
import { parseId } from '../../lib/ids.js';
import { type Connection, ConnectionArgs, pageRequest } from '../connections.js';
import type { GraphqlContext } from '../context.js';
import { printCursor, readCursor } from '../cursor.js';
import { keysetConnection, ListedArgs, listedPage } from '../keyset-connection.js';
import { readWorkerId } from '../public-id.js';
import { ConnectionObject } from '../types/connection.js';
import { WorkerKind } from '../types/enums.js';
import { ExecutionConnection, ExecutionObject } from '../types/execution.js';
import { WebhookObject } from '../types/webhook.js';
import { HttpWorkerObject, WorkerConnection, WorkerObject } from '../types/worker.js';
import { workerObject } from '../types/worker-kinds.js';

@Resolver()
export class WorkerQueries {
  @Authorized<Permission>('workers:read')
  @Query(() => WorkerObject, { nullable: true, description: 'One worker; null when there is none of this id.' })
  async worker(
    @Ctx() { loaders }: GraphqlContext,
    @Arg('id', () => ID, { description: 'Its id, `worker-…`.' }) id: string,
  ): Promise<WorkerObject | undefined> {
    const view = await loaders.workers.load(readWorkerId(id));
    return view && workerObject(view);
  }

  @Authorized<Permission>('workers:read')
  @Query(() => WorkerConnection, { description: 'Workers that are not deleted, by name.' })
  async workers(
    @Ctx() { services }: GraphqlContext,
    @Args(() => ConnectionArgs) args: ConnectionArgs,
    @Arg('kind', () => WorkerKind, { nullable: true, description: 'Only those of this kind.' })
    kind: WorkerKindName | null | undefined,
    @Arg('text', () => String, { nullable: true, description: 'Part of the name or id, in any case.' })
    text: string | null | undefined,
  ): Promise<Connection<WorkerObject>> {
    const sql = services.database.pool;
    const filter = { kind: kind ?? undefined, text: text ?? undefined };
    const { limit, fromEnd, after, before } = pageRequest(args);
    const { workers, hasMore } = await readWorkers(sql, filter, {
      limit,
      fromEnd,
      after: readKey(after),
      before: readKey(before),
    });
    return new WorkerConnection({
      edges: workers.map((view) => ({ cursor: printCursor([view.name, view.id]), node: workerObject(view) })),
      hasNextPage: fromEnd ? before !== undefined : hasMore,
      hasPreviousPage: fromEnd ? hasMore : after !== undefined,
      count: () => countWorkers(sql, filter),
    });
  }
}

@Resolver(() => WorkerObject)
export class WorkerFields {
  @Authorized<Permission>('webhooks:read')
  @FieldResolver(() => [WebhookObject], { description: 'The webhooks that run it, the newest first.' })
  async webhooks(@Root() { view }: WorkerObject, @Ctx() { loaders }: GraphqlContext): Promise<WebhookObject[]> {
    const ids = await loaders.webhookIdsOfWorkers.load(view.id);
    const webhooks = await Promise.all(ids.map((id) => loaders.webhooks.load(id)));
    return webhooks.flatMap((webhook) => (webhook === undefined ? [] : [new WebhookObject(webhook)]));
  }

  @Authorized<Permission>('executions:read')
  @FieldResolver(() => ExecutionConnection, {
    description: 'Its executions, the newest first unless `order` says otherwise.',
  })
  async executions(
    @Root() { view }: WorkerObject,
    @Ctx() { loaders }: GraphqlContext,
    @Args(() => ListedArgs) args: ListedArgs,
  ): Promise<Connection<ExecutionObject>> {
    const page = await listedPage('execution', args, (request) => loaders.executionsOfWorkers.load(view.id, request));
    return new ExecutionConnection(
      keysetConnection(
        page,
        (execution) => new ExecutionObject(execution),
        () => loaders.executionTotalsOfWorkers.load(view.id),
      ),
    );
  }
}

@Resolver(() => HttpWorkerObject)
export class HttpWorkerFields {
  @Authorized<Permission>('connections:read')
  @FieldResolver(() => ConnectionObject, {
    nullable: true,
    description: 'Whose base URL and credential it uses; null for none.',
  })
  async connection(
    @Root() { connectionId }: HttpWorkerObject,
    @Ctx() { loaders }: GraphqlContext,
  ): Promise<ConnectionObject | undefined> {
    const id = connectionId === null ? undefined : parseId('connection', connectionId);
    const view = id === undefined ? undefined : await loaders.connections.load(id);
    return view && new ConnectionObject(view);
  }
}

function readKey(cursor: string | undefined): WorkerKey | undefined {
  if (cursor === undefined) return undefined;
  const [name = '', id = ''] = readCursor(cursor, 2);
  return { name, id };
}
