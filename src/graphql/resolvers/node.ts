import { Arg, Authorized, Ctx, ID, Query, Resolver } from 'type-graphql';
import { requirePermission } from '../../access/permissions.js';
import { AppError } from '../../errors.js';
import { isWorkerId, parseId } from '../../lib/ids.js';
import type { GraphqlContext } from '../context.js';
import { AlertObject } from '../types/alert.js';
import { BulkOperationObject } from '../types/bulk-operation.js';
import { CallObject } from '../types/call.js';
import { ConnectionObject } from '../types/connection.js';
import { CallbackObject } from '../types/callback.js';
import { ExecutionObject } from '../types/execution.js';
import { ModelObject } from '../types/model.js';
import { NodeObject } from '../types/node.js';
import { UserObject } from '../types/user.js';
import { WebhookObject } from '../types/webhook.js';
import { workerObject } from '../types/worker-kinds.js';

const IDS_MAX = 100;

const NODES = 'a webhook, worker, connection, model, call, execution, callback, alert, bulk operation or user';

/** A text that is the id of nothing. */
const NO_NODE_ID = Symbol('no id of a node');

@Resolver()
export class NodeResolver {
  @Authorized()
  @Query(() => NodeObject, { nullable: true, description: 'Whatever has this id; null when there is nothing.' })
  async node(
    @Ctx() context: GraphqlContext,
    @Arg('id', () => ID, { description: `The id of ${NODES}.` })
    id: string,
  ): Promise<NodeObject | undefined> {
    const node = await readNode(context, id);
    if (node === NO_NODE_ID) throw new AppError('BAD_USER_INPUT', `This is not the id of ${NODES}.`);
    return node;
  }

  @Authorized()
  @Query(() => [NodeObject], {
    nullable: 'items',
    description:
      'Whatever has these ids, in their order; null where there is nothing, or the id is of nothing that can be.',
  })
  async nodes(
    @Ctx() context: GraphqlContext,
    @Arg('ids', () => [ID], {
      description: 'Ids as `node` takes them, 100 at most.',
    })
    ids: string[],
  ): Promise<(NodeObject | undefined)[]> {
    if (ids.length > IDS_MAX) throw new AppError('BAD_USER_INPUT', `At most ${IDS_MAX} ids can be asked for at once.`);
    return await Promise.all(
      ids.map(async (id) => {
        const node = await readNode(context, id);
        return node === NO_NODE_ID ? undefined : node;
      }),
    );
  }
}

async function readNode(
  { loaders, principal }: GraphqlContext,
  id: string,
): Promise<NodeObject | typeof NO_NODE_ID | undefined> {
  const webhookId = parseId('webhook', id);
  if (webhookId !== undefined) {
    requirePermission(principal, 'webhooks:read');
    const view = await loaders.webhooks.load(webhookId);
    return view && new WebhookObject(view);
  }
  const callId = parseId('call', id);
  if (callId !== undefined) {
    requirePermission(principal, 'calls:read');
    const view = await loaders.calls.load(callId);
    return view && new CallObject(view);
  }
  const bulkOperationId = parseId('bulkOperation', id);
  if (bulkOperationId !== undefined) {
    requirePermission(principal, 'executions:read');
    const view = await loaders.bulkOperations.load(bulkOperationId);
    return view && new BulkOperationObject(view);
  }
  const alertId = parseId('alert', id);
  if (alertId !== undefined) {
    requirePermission(principal, 'alerts:read');
    const view = await loaders.alerts.load(alertId);
    return view && new AlertObject(view);
  }
  const callbackId = parseId('callback', id);
  if (callbackId !== undefined) {
    requirePermission(principal, 'calls:read');
    const view = await loaders.callbacks.load(callbackId);
    return view && new CallbackObject(view);
  }
  const executionId = parseId('execution', id);
  if (executionId !== undefined) {
    requirePermission(principal, 'executions:read');
    const view = await loaders.executions.load(executionId);
    return view && new ExecutionObject(view);
  }
  const connectionId = parseId('connection', id);
  if (connectionId !== undefined) {
    requirePermission(principal, 'connections:read');
    const view = await loaders.connections.load(connectionId);
    return view && new ConnectionObject(view);
  }
  const userId = parseId('user', id);
  if (userId !== undefined) {
    requirePermission(principal, 'users:read');
    const view = await loaders.users.load(userId);
    return view && new UserObject(view);
  }
  const modelId = parseId('model', id);
  if (modelId !== undefined) {
    requirePermission(principal, 'models:read');
    const view = await loaders.models.load(modelId);
    return view && new ModelObject(view);
  }
  if (isWorkerId(id)) {
    requirePermission(principal, 'workers:read');
    const view = await loaders.workers.load(id);
    return view && workerObject(view);
  }
  return NO_NODE_ID;
}
