import { Arg, Args, Authorized, Ctx, FieldResolver, ID, Query, Resolver, Root } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { countExecutions, listExecutions } from '../../executions/list-executions.js';
import { OUTPUT_SHOWN_MAX } from '../../executions/read-steps.js';
import type { ExecutionStatus as ExecutionStatusName } from '../../executions/states.js';
import { type Connection, ConnectionArgs } from '../connections.js';
import type { GraphqlContext } from '../context.js';
import { keysetConnection, ListedArgs, listedPage } from '../keyset-connection.js';
import { pageOfAll } from '../page-of-all.js';
import { readId, readWorkerId } from '../public-id.js';
import { DateTime, Json } from '../scalars.js';
import { CallObject } from '../types/call.js';
import { ExecutionStatus } from '../types/enums.js';
import { ExecutionConnection, ExecutionObject } from '../types/execution.js';
import { ExecutionEventConnection, executionEventObject, ExecutionEventObject } from '../types/execution-event.js';
import { ExecutionStepConnection, ExecutionStepObject } from '../types/execution-step.js';
import { WorkerObject } from '../types/worker.js';
import { workerObject } from '../types/worker-kinds.js';

@Resolver()
export class ExecutionQueries {
  @Authorized<Permission>('executions:read')
  @Query(() => ExecutionObject, {
    nullable: true,
    description: 'One execution; null when there is none of this id, or none any more.',
  })
  async execution(
    @Ctx() { loaders }: GraphqlContext,
    @Arg('id', () => ID, { description: 'Its id, `exec-…`.' }) id: string,
  ): Promise<ExecutionObject | undefined> {
    const view = await loaders.executions.load(readId('execution', id));
    return view && new ExecutionObject(view);
  }

  @Authorized<Permission>('executions:read')
  @Query(() => ExecutionConnection, { description: 'Executions, the newest first unless `order` says otherwise.' })
  async executions(
    @Ctx() { services, principal }: GraphqlContext,
    @Args(() => ListedArgs) args: ListedArgs,
    @Arg('webhookId', () => ID, { nullable: true, description: 'Only those of this webhook.' })
    webhookId: string | null | undefined,
    @Arg('callId', () => ID, { nullable: true, description: 'Only those of this call.' })
    callId: string | null | undefined,
    @Arg('workerId', () => ID, { nullable: true, description: 'Only those of this worker.' })
    workerId: string | null | undefined,
    @Arg('statuses', () => [ExecutionStatus], { nullable: true, description: 'Only those with one of these statuses.' })
    statuses: ExecutionStatusName[] | null | undefined,
    @Arg('from', () => DateTime, { nullable: true, description: 'Only those of calls received then or later.' })
    from: Date | null | undefined,
    @Arg('to', () => DateTime, { nullable: true, description: 'Only those of calls received before.' })
    to: Date | null | undefined,
  ): Promise<Connection<ExecutionObject>> {
    const sql = services.database.pool;
    const filter = {
      webhookId: webhookId ? readId('webhook', webhookId) : undefined,
      callId: callId ? readId('call', callId) : undefined,
      workerId: workerId ? readWorkerId(workerId) : undefined,
      statuses: statuses ?? undefined,
      from: from ?? undefined,
      to: to ?? undefined,
    };
    const page = await listedPage('execution', args, (request) => listExecutions(sql, principal, filter, request));
    return new ExecutionConnection(
      keysetConnection(
        page,
        (execution) => new ExecutionObject(execution),
        () => countExecutions(sql, principal, filter),
      ),
    );
  }
}

@Resolver(() => ExecutionObject)
export class ExecutionFields {
  @Authorized<Permission>('calls:read')
  @FieldResolver(() => CallObject, { nullable: true, description: 'The call that it is for.' })
  async call(@Root() { view }: ExecutionObject, @Ctx() { loaders }: GraphqlContext): Promise<CallObject | undefined> {
    const call = await loaders.calls.load(view.callId);
    return call && new CallObject(call);
  }

  @Authorized<Permission>('workers:read')
  @FieldResolver(() => WorkerObject, { nullable: true, description: 'The worker that it runs, as that is now.' })
  async worker(
    @Root() { view }: ExecutionObject,
    @Ctx() { loaders }: GraphqlContext,
  ): Promise<WorkerObject | undefined> {
    const worker = await loaders.workers.load(view.workerId);
    return worker && workerObject(worker);
  }

  @Authorized<Permission>('calls:read')
  @FieldResolver(() => Json, { nullable: true, description: "What the worker is given: its call's body, unchanged." })
  async inputParams(@Root() { view }: ExecutionObject, @Ctx() { loaders }: GraphqlContext): Promise<unknown> {
    const request = await loaders.callRequests.load(view.callId);
    return request && (JSON.parse(request.body.toString('utf8')) as unknown);
  }

  @FieldResolver(() => String, {
    nullable: true,
    description:
      'The text that its worker has written so far; null when it wrote none, and once it succeeded: the result has it.',
  })
  async partialText(
    @Root() { view }: ExecutionObject,
    @Ctx() { loaders }: GraphqlContext,
  ): Promise<string | undefined> {
    return view.status === 'SUCCEEDED' ? undefined : await loaders.partialTexts.load(view.id);
  }

  @FieldResolver(() => ExecutionStepConnection, {
    description: 'Its durable steps in the order in which they began, a thousand at most.',
  })
  async steps(
    @Root() { view }: ExecutionObject,
    @Ctx() { loaders }: GraphqlContext,
    @Args(() => ConnectionArgs) args: ConnectionArgs,
  ): Promise<Connection<ExecutionStepObject>> {
    const steps = await loaders.stepsOfExecutions.load(view.id);
    const objects = steps.map((step) => new ExecutionStepObject(view.id, step));
    return new ExecutionStepConnection(pageOfAll(objects, ({ path }) => path, args));
  }

  @FieldResolver(() => ExecutionEventConnection, {
    description: 'What happened to it, the oldest first; pieces of text are left out, `partialText` has them.',
  })
  async events(
    @Root() { view }: ExecutionObject,
    @Ctx() { loaders }: GraphqlContext,
    @Args(() => ConnectionArgs) args: ConnectionArgs,
  ): Promise<Connection<ExecutionEventObject>> {
    const events = await loaders.eventsOfExecutions.load(view.id);
    const objects = events.map((event) => executionEventObject(view.id, event));
    return new ExecutionEventConnection(pageOfAll(objects, ({ cursor }) => cursor, args));
  }
}

@Resolver(() => ExecutionEventObject)
export class ExecutionEventFields {
  @FieldResolver(() => ExecutionObject, { nullable: true, description: 'The execution, as it is now.' })
  async execution(
    @Root() { executionId }: ExecutionEventObject,
    @Ctx() { loaders }: GraphqlContext,
  ): Promise<ExecutionObject | undefined> {
    const view = await loaders.executions.load(executionId);
    return view && new ExecutionObject(view);
  }
}

@Resolver(() => ExecutionStepObject)
export class ExecutionStepFields {
  @FieldResolver(() => Json, {
    nullable: true,
    description: `What it gave; null until it succeeded, and when it is longer than ${OUTPUT_SHOWN_MAX} characters.`,
  })
  async output(
    @Root() { executionId, view }: ExecutionStepObject,
    @Ctx() { loaders }: GraphqlContext,
  ): Promise<unknown> {
    const output = await loaders.stepOutputs.load({ executionId, path: view.path });
    const whole = output !== undefined && output.length <= OUTPUT_SHOWN_MAX;
    return whole ? (JSON.parse(output.text) as unknown) : null;
  }

  @FieldResolver(() => String, {
    nullable: true,
    description: `What it gave as JSON text, its first ${OUTPUT_SHOWN_MAX} characters; null until it succeeded.`,
  })
  async outputText(
    @Root() { executionId, view }: ExecutionStepObject,
    @Ctx() { loaders }: GraphqlContext,
  ): Promise<string | undefined> {
    return (await loaders.stepOutputs.load({ executionId, path: view.path }))?.text;
  }
}
