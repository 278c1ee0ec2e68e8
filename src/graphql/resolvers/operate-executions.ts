import { Arg, Authorized, Ctx, FieldResolver, Mutation, Resolver, Root } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { cancelExecution } from '../../executions/cancel.js';
import { retryExecution } from '../../executions/retry.js';
import type { GraphqlContext } from '../context.js';
import { readId } from '../public-id.js';
import { ExecutionObject } from '../types/execution.js';
import {
  CancelExecutionInput,
  CancelExecutionPayload,
  type ExecutionPayload,
  RetryExecutionInput,
  RetryExecutionPayload,
} from '../types/execution-payloads.js';

@Resolver()
export class ExecutionMutations {
  @Authorized<Permission>('executions:operate')
  @Mutation(() => CancelExecutionPayload, {
    description:
      'Ends an execution early: one that waits at once, one that runs by aborting its worker, wherever it runs. The rest of its sequence is skipped.',
  })
  async cancelExecution(
    @Ctx() context: GraphqlContext,
    @Arg('input', () => CancelExecutionInput, { description: 'Which one.' }) input: CancelExecutionInput,
  ): Promise<ExecutionPayload> {
    const id = readId('execution', input.id);
    const outcome = await cancelExecution(context.services.database.pool, context.principal, { id });
    return outcome.ok ? await shown(context, id) : { userErrors: outcome.userErrors };
  }

  @Authorized<Permission>('executions:operate')
  @Mutation(() => RetryExecutionPayload, {
    description:
      'Runs an execution that failed, timed out or was canceled once more, as a new execution of the same call. What was skipped behind it in a sequence comes with it.',
  })
  async retryExecution(
    @Ctx() context: GraphqlContext,
    @Arg('input', () => RetryExecutionInput, { description: 'Which one, and how.' }) input: RetryExecutionInput,
  ): Promise<ExecutionPayload> {
    const id = readId('execution', input.id);
    const { workerVersion } = input;
    const outcome = await retryExecution(context.services.database.pool, context.principal, { id, workerVersion });
    return outcome.ok ? await shown(context, outcome.value) : { userErrors: outcome.userErrors };
  }
}

async function shown({ loaders }: GraphqlContext, id: string): Promise<ExecutionPayload> {
  const view = await loaders.executions.clear(id).load(id);
  return { ...(view !== undefined && { execution: new ExecutionObject(view) }), userErrors: [] };
}

@Resolver(() => ExecutionObject)
export class RetryFields {
  @FieldResolver(() => ExecutionObject, { nullable: true, description: 'The execution that this one runs once more.' })
  async retryOf(
    @Root() { view }: ExecutionObject,
    @Ctx() context: GraphqlContext,
  ): Promise<ExecutionObject | undefined> {
    return await loaded(context, view.retryOf);
  }

  @FieldResolver(() => ExecutionObject, {
    nullable: true,
    description: 'The execution that runs this one once more, and stands in its place.',
  })
  async retriedBy(
    @Root() { view }: ExecutionObject,
    @Ctx() context: GraphqlContext,
  ): Promise<ExecutionObject | undefined> {
    return await loaded(context, view.retriedBy);
  }
}

async function loaded({ loaders }: GraphqlContext, id: string | null): Promise<ExecutionObject | undefined> {
  const view = id === null ? undefined : await loaders.executions.load(id);
  return view && new ExecutionObject(view);
}
