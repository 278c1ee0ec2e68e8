import { Arg, Args, Authorized, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { decideApproval } from '../../executions/decide-approval.js';
import { type ApprovalKey, countApprovals, listApprovals } from '../../executions/list-approvals.js';
import { formatId, parseId } from '../../lib/ids.js';
import { type Connection, ConnectionArgs, pageRequest } from '../connections.js';
import type { GraphqlContext } from '../context.js';
import { printCursor, readCursor } from '../cursor.js';
import { readId } from '../public-id.js';
import {
  ApproveStepInput,
  ApproveStepPayload,
  type DecideStepPayload,
  PendingApprovalConnection,
  PendingApprovalObject,
  RejectStepInput,
  RejectStepPayload,
  StepApprovalObject,
} from '../types/approval.js';
import { ExecutionObject } from '../types/execution.js';
import { UserObject } from '../types/user.js';

@Resolver()
export class ApprovalResolver {
  @Authorized<Permission>('executions:read')
  @Query(() => PendingApprovalConnection, {
    description: 'What waits for a person, that of the newest executions first.',
  })
  async approvals(
    @Ctx() { services, principal }: GraphqlContext,
    @Args(() => ConnectionArgs) args: ConnectionArgs,
  ): Promise<Connection<PendingApprovalObject>> {
    const sql = services.database.pool;
    const { limit, fromEnd, after, before } = pageRequest(args);
    const page = { limit, fromEnd, after: readKey(after), before: readKey(before) };
    const { items, hasNextPage, hasPreviousPage } = await listApprovals(sql, principal, page);
    return new PendingApprovalConnection({
      edges: items.map((view) => ({
        cursor: printCursor([formatId('execution', view.executionId), view.path]),
        node: new PendingApprovalObject(view),
      })),
      hasNextPage,
      hasPreviousPage,
      count: () => countApprovals(sql, principal),
    });
  }

  @Authorized<Permission>('executions:operate')
  @Mutation(() => ApproveStepPayload, { description: 'Approves a step that waits for it: the execution goes on.' })
  async approveStep(
    @Ctx() context: GraphqlContext,
    @Arg('input', () => ApproveStepInput, { description: 'Which step.' }) input: ApproveStepInput,
  ): Promise<DecideStepPayload> {
    return await decided(context, input, true);
  }

  @Authorized<Permission>('executions:operate')
  @Mutation(() => RejectStepPayload, {
    description: 'Rejects a step that waits for approval: it fails with APPROVAL_REJECTED.',
  })
  async rejectStep(
    @Ctx() context: GraphqlContext,
    @Arg('input', () => RejectStepInput, { description: 'Which step.' }) input: RejectStepInput,
  ): Promise<DecideStepPayload> {
    return await decided(context, input, false);
  }
}

@Resolver(() => PendingApprovalObject)
export class PendingApprovalFields {
  @Authorized<Permission>('executions:read')
  @FieldResolver(() => ExecutionObject, { description: 'The execution whose step it is.' })
  async execution(
    @Root() { view }: PendingApprovalObject,
    @Ctx() { loaders }: GraphqlContext,
  ): Promise<ExecutionObject | undefined> {
    const execution = await loaders.executions.load(view.executionId);
    return execution && new ExecutionObject(execution);
  }
}

@Resolver(() => StepApprovalObject)
export class StepApprovalFields {
  @Authorized<Permission>('users:read')
  @FieldResolver(() => UserObject, { nullable: true, description: 'Who decided.' })
  async decidedBy(
    @Root() { decision }: StepApprovalObject,
    @Ctx() { loaders }: GraphqlContext,
  ): Promise<UserObject | undefined> {
    const id = decision === undefined ? undefined : parseId('user', decision.by);
    const user = id === undefined ? undefined : await loaders.users.load(id);
    return user && new UserObject(user);
  }
}

async function decided(
  { services, principal, loaders }: GraphqlContext,
  { executionId, path, comment }: ApproveStepInput,
  approved: boolean,
): Promise<DecideStepPayload> {
  const id = readId('execution', executionId);
  const outcome = await decideApproval(services.database.pool, principal, { executionId: id, path, approved, comment });
  if (!outcome.ok) return { userErrors: outcome.userErrors };
  const view = await loaders.executions.clear(id).load(id);
  return { ...(view !== undefined && { execution: new ExecutionObject(view) }), userErrors: [] };
}

function readKey(cursor: string | undefined): ApprovalKey | undefined {
  if (cursor === undefined) return undefined;
  const [executionId = '', path = ''] = readCursor(cursor, 2);
  return { executionId: readId('execution', executionId), path };
}
