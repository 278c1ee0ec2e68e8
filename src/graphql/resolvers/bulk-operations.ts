import { Arg, Args, Authorized, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { cancelBulkOperation } from '../../bulk/cancel-bulk.js';
import { countBulkOperations, listBulkOperations } from '../../bulk/read-bulk.js';
import { startBulkOperation, type StartBulkInput } from '../../bulk/start-bulk.js';
import type { IdKind } from '../../lib/ids.js';
import type { Connection } from '../connections.js';
import type { GraphqlContext } from '../context.js';
import { keysetConnection, ListedArgs, listedPage } from '../keyset-connection.js';
import { readId, readWorkerId } from '../public-id.js';
import {
  BulkOperationConnection,
  BulkOperationObject,
  type BulkOperationPayload,
  CancelBulkOperationInput,
  CancelBulkOperationPayload,
  CancelExecutionsInput,
  CancelExecutionsPayload,
  type ExecutionsFilter,
  ReplayCallbacksInput,
  ReplayCallbacksPayload,
  ReplayCallsInput,
  ReplayCallsPayload,
  RetryExecutionsInput,
  RetryExecutionsPayload,
} from '../types/bulk-operation.js';
import { UserObject } from '../types/user.js';

@Resolver()
export class BulkOperationQueries {
  @Authorized<Permission>('executions:read')
  @Query(() => BulkOperationObject, { nullable: true, description: 'One bulk operation; null when there is none.' })
  async bulkOperation(
    @Ctx() { loaders }: GraphqlContext,
    @Arg('id', () => ID, { description: 'Its id, `bulk-…`.' }) id: string,
  ): Promise<BulkOperationObject | undefined> {
    const view = await loaders.bulkOperations.load(readId('bulkOperation', id));
    return view && new BulkOperationObject(view);
  }

  @Authorized<Permission>('executions:read')
  @Query(() => BulkOperationConnection, {
    description: 'Bulk operations, the newest first unless `order` says otherwise.',
  })
  async bulkOperations(
    @Ctx() { services, principal }: GraphqlContext,
    @Args(() => ListedArgs) args: ListedArgs,
  ): Promise<Connection<BulkOperationObject>> {
    const sql = services.database.pool;
    const page = await listedPage('bulkOperation', args, (request) => listBulkOperations(sql, principal, request));
    return new BulkOperationConnection(
      keysetConnection(
        page,
        (view) => new BulkOperationObject(view),
        () => countBulkOperations(sql, principal),
      ),
    );
  }
}

@Resolver(() => BulkOperationObject)
export class BulkOperationFields {
  @Authorized<Permission>('users:read')
  @FieldResolver(() => UserObject, { nullable: true, description: 'Who asked for it.' })
  async createdBy(
    @Root() { view }: BulkOperationObject,
    @Ctx() { loaders }: GraphqlContext,
  ): Promise<UserObject | undefined> {
    const user = await loaders.users.load(view.createdBy);
    return user && new UserObject(user);
  }
}

@Resolver()
export class BulkOperationMutations {
  @Authorized<Permission>('executions:operate')
  @Mutation(() => ReplayCallsPayload, {
    description: 'Makes a new call of each of some calls, in the background: 100 a second at most.',
  })
  async replayCalls(
    @Ctx() context: GraphqlContext,
    @Arg('input', () => ReplayCallsInput, { description: 'Which ones, and how.' }) input: ReplayCallsInput,
  ): Promise<BulkOperationPayload> {
    const { filter, workerVersion, idempotencyKey } = input;
    return await start(context, {
      kind: 'REPLAY',
      filter: given({
        webhookId: idGiven('webhook', filter.webhookId),
        workerId: workerIdGiven(filter.workerId),
        outcomes: filter.outcomes,
        from: filter.from,
        to: filter.to,
      }),
      workerVersion,
      idempotencyKey: idempotencyKey ?? undefined,
    });
  }

  @Authorized<Permission>('executions:operate')
  @Mutation(() => RetryExecutionsPayload, {
    description: 'Runs each of some executions once more, in the background: 100 a second at most.',
  })
  async retryExecutions(
    @Ctx() context: GraphqlContext,
    @Arg('input', () => RetryExecutionsInput, { description: 'Which ones, and how.' }) input: RetryExecutionsInput,
  ): Promise<BulkOperationPayload> {
    const { filter, workerVersion, idempotencyKey } = input;
    return await start(context, {
      kind: 'RETRY',
      filter: executionsFilter(filter),
      workerVersion,
      idempotencyKey: idempotencyKey ?? undefined,
    });
  }

  @Authorized<Permission>('executions:operate')
  @Mutation(() => CancelExecutionsPayload, { description: 'Ends each of some executions early, in the background.' })
  async cancelExecutions(
    @Ctx() context: GraphqlContext,
    @Arg('input', () => CancelExecutionsInput, { description: 'Which ones.' }) input: CancelExecutionsInput,
  ): Promise<BulkOperationPayload> {
    const { filter, idempotencyKey } = input;
    return await start(context, {
      kind: 'CANCEL',
      filter: executionsFilter(filter),
      idempotencyKey: idempotencyKey ?? undefined,
    });
  }

  @Authorized<Permission>('executions:operate')
  @Mutation(() => ReplayCallbacksPayload, {
    description: 'Sends each of some callbacks again, in the background: 100 a second at most.',
  })
  async replayCallbacks(
    @Ctx() context: GraphqlContext,
    @Arg('input', () => ReplayCallbacksInput, { description: 'Which ones.' }) input: ReplayCallbacksInput,
  ): Promise<BulkOperationPayload> {
    const { filter, idempotencyKey } = input;
    return await start(context, {
      kind: 'REPLAY_CALLBACKS',
      filter: given({
        webhookId: idGiven('webhook', filter.webhookId),
        callbackStatuses: filter.statuses,
        from: filter.from,
        to: filter.to,
      }),
      idempotencyKey: idempotencyKey ?? undefined,
    });
  }

  @Authorized<Permission>('executions:operate')
  @Mutation(() => CancelBulkOperationPayload, {
    description: 'Ends a bulk operation. What it did until then stays done.',
  })
  async cancelBulkOperation(
    @Ctx() context: GraphqlContext,
    @Arg('input', () => CancelBulkOperationInput, { description: 'Which one.' }) input: CancelBulkOperationInput,
  ): Promise<BulkOperationPayload> {
    const id = readId('bulkOperation', input.id);
    const outcome = await cancelBulkOperation(context.services.database.pool, context.principal, { id });
    return outcome.ok ? await shown(context, id) : { userErrors: outcome.userErrors };
  }
}

function executionsFilter(filter: ExecutionsFilter): StartBulkInput['filter'] {
  return given({
    webhookId: idGiven('webhook', filter.webhookId),
    callId: idGiven('call', filter.callId),
    workerId: workerIdGiven(filter.workerId),
    statuses: filter.statuses,
    from: filter.from,
    to: filter.to,
  });
}

function idGiven(kind: IdKind, text: string | null | undefined): string | undefined {
  return text === null || text === undefined ? undefined : readId(kind, text);
}

function workerIdGiven(text: string | null | undefined): string | undefined {
  return text === null || text === undefined ? undefined : readWorkerId(text);
}

type Given = { readonly [K in keyof StartBulkInput['filter']]?: StartBulkInput['filter'][K] | null | undefined };

/** Without what was not given, which GraphQL knows as missing and as null. */
function given(filter: Given): StartBulkInput['filter'] {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== null && value !== undefined));
}

async function start(context: GraphqlContext, input: StartBulkInput): Promise<BulkOperationPayload> {
  const { services, principal } = context;
  const deps = { pool: services.database.pool, clock: services.clock };
  const outcome = await startBulkOperation(deps, principal, input);
  return outcome.ok ? await shown(context, outcome.value) : { userErrors: outcome.userErrors };
}

async function shown({ loaders }: GraphqlContext, id: string): Promise<BulkOperationPayload> {
  const view = await loaders.bulkOperations.clear(id).load(id);
  return { ...(view !== undefined && { bulkOperation: new BulkOperationObject(view) }), userErrors: [] };
}
