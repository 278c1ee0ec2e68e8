import { Arg, Args, Authorized, Ctx, FieldResolver, ID, Query, Resolver, Root } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { countWorkers, listWorkers, WORKERS_BY_NAME } from '../../workers/read-workers.js';
import type { WorkerKind as WorkerKindName } from '../../workers/worker.entities.js';
import { parseId } from '../../lib/ids.js';
import { type Connection, ConnectionArgs, pageRequest } from '../connections.js';
import type { GraphqlContext } from '../context.js';
import { keysetConnection, ListedArgs, listedPage } from '../keyset-connection.js';
import { readWorkerId } from '../public-id.js';
import { ORDER_BY, sortedConnection, sortOrder } from '../sorted-connection.js';
import { ConnectionObject } from '../types/connection.js';
import { WorkerKind } from '../types/enums.js';
import { ExecutionConnection, ExecutionObject } from '../types/execution.js';
import { WebhookObject } from '../types/webhook.js';
import { HttpWorkerObject, WorkerConnection, WorkerObject } from '../types/worker.js';
import { WorkerOrderInput } from '../types/worker-inputs.js';
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
  @Query(() => WorkerConnection, { description: 'Workers that are not deleted, without an order by name.' })
  async workers(
    @Ctx() { services }: GraphqlContext,
    @Args(() => ConnectionArgs) args: ConnectionArgs,
    @Arg('kind', () => WorkerKind, { nullable: true, description: 'Only those of this kind.' })
    kind: WorkerKindName | null | undefined,
    @Arg('text', () => String, { nullable: true, description: 'Part of the name or id, in any case.' })
    text: string | null | undefined,
    @Arg('orderBy', () => WorkerOrderInput, { nullable: true, description: ORDER_BY })
    orderBy: WorkerOrderInput | null | undefined,
  ): Promise<Connection<WorkerObject>> {
    const sql = services.database.pool;
    const filter = { kind: kind ?? undefined, text: text ?? undefined };
    const page = await listWorkers(sql, filter, orderBy ? sortOrder(orderBy) : WORKERS_BY_NAME, pageRequest(args));
    return new WorkerConnection(sortedConnection(page, workerObject, () => countWorkers(sql, filter)));
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
