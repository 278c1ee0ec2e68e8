import { Arg, Args, Authorized, Ctx, FieldResolver, ID, Query, Resolver, Root } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import type { CallOutcome as CallOutcomeName } from '../../calls/call.entity.js';
import { countCalls, listCalls } from '../../calls/list-calls.js';
import type { Connection } from '../connections.js';
import type { GraphqlContext } from '../context.js';
import { keysetConnection, ListedArgs, listedPage } from '../keyset-connection.js';
import { readId } from '../public-id.js';
import { DateTime, Dollars, Json, WholeNumber } from '../scalars.js';
import { CallConnection, CallObject } from '../types/call.js';
import { CallOutcome } from '../types/enums.js';
import { ExecutionObject } from '../types/execution.js';
import { WebhookObject } from '../types/webhook.js';

@Resolver()
export class CallQueries {
  @Authorized<Permission>('calls:read')
  @Query(() => CallObject, {
    nullable: true,
    description: 'One call; null when there is none of this id, or none any more.',
  })
  async call(
    @Ctx() { loaders }: GraphqlContext,
    @Arg('id', () => ID, { description: 'Its id, `call-…`.' }) id: string,
  ): Promise<CallObject | undefined> {
    const view = await loaders.calls.load(readId('call', id));
    return view && new CallObject(view);
  }

  @Authorized<Permission>('calls:read')
  @Query(() => CallConnection, { description: 'Calls, the newest first unless `order` says otherwise.' })
  async calls(
    @Ctx() { services, principal }: GraphqlContext,
    @Args(() => ListedArgs) args: ListedArgs,
    @Arg('webhookId', () => ID, { nullable: true, description: 'Only those of this webhook.' })
    webhookId: string | null | undefined,
    @Arg('outcomes', () => [CallOutcome], { nullable: true, description: 'Only those with one of these outcomes.' })
    outcomes: CallOutcomeName[] | null | undefined,
    @Arg('from', () => DateTime, { nullable: true, description: 'Only those received then or later.' })
    from: Date | null | undefined,
    @Arg('to', () => DateTime, { nullable: true, description: 'Only those received before.' })
    to: Date | null | undefined,
  ): Promise<Connection<CallObject>> {
    const sql = services.database.pool;
    const filter = {
      webhookId: webhookId ? readId('webhook', webhookId) : undefined,
      outcomes: outcomes ?? undefined,
      from: from ?? undefined,
      to: to ?? undefined,
    };
    const page = await listedPage('call', args, (request) => listCalls(sql, principal, filter, request));
    return new CallConnection(
      keysetConnection(
        page,
        (call) => new CallObject(call),
        () => countCalls(sql, principal, filter),
      ),
    );
  }
}

@Resolver(() => CallObject)
export class CallFields {
  @Authorized<Permission>('webhooks:read')
  @FieldResolver(() => WebhookObject, {
    nullable: true,
    description: 'Its webhook; null when that is deleted, and when a worker was run by hand.',
  })
  async webhook(@Root() { view }: CallObject, @Ctx() { loaders }: GraphqlContext): Promise<WebhookObject | undefined> {
    const webhook = await loaders.webhooks.load(view.webhookId);
    return webhook && new WebhookObject(webhook);
  }

  @FieldResolver(() => Json, {
    nullable: true,
    description: 'The headers that it came with, names in lower case, credentials removed.',
  })
  async requestHeaders(
    @Root() { view }: CallObject,
    @Ctx() { loaders }: GraphqlContext,
  ): Promise<Readonly<Record<string, string>> | undefined> {
    return (await loaders.callRequests.load(view.id))?.headers;
  }

  @FieldResolver(() => String, {
    nullable: true,
    description:
      'The text that was POSTed, exactly; of a rejected call at most the first 64 KiB, of one without authentication none. Bytes that are not UTF-8 show as U+FFFD.',
  })
  async requestBody(@Root() { view }: CallObject, @Ctx() { loaders }: GraphqlContext): Promise<string | undefined> {
    return (await loaders.callRequests.load(view.id))?.body.toString('utf8');
  }

  @Authorized<Permission>('executions:read')
  @FieldResolver(() => String, {
    nullable: true,
    description:
      'The JSON that its caller was answered, made again from what is stored: with the results when it waited for them. Null while it waits, of a call that was not accepted, and of a run by hand, which had no caller.',
  })
  async responseBody(
    @Root() { view }: CallObject,
    @Ctx() { loaders, services }: GraphqlContext,
  ): Promise<string | undefined> {
    return services.responseOfCall(view, await loaders.executionsOfCalls.load(view.id));
  }

  @Authorized<Permission>('executions:read')
  @FieldResolver(() => [ExecutionObject], {
    description:
      "Its executions, in the order of the webhook's workers. One that was retried stands before its retry, whose result is the one that counts.",
  })
  async executions(@Root() { view }: CallObject, @Ctx() { loaders }: GraphqlContext): Promise<ExecutionObject[]> {
    return (await loaders.executionsOfCalls.load(view.id)).map((execution) => new ExecutionObject(execution));
  }

  @Authorized<Permission>('executions:read')
  @FieldResolver(() => WholeNumber, { description: 'Tokens that its executions put into models.' })
  async promptTokens(@Root() { view }: CallObject, @Ctx() { loaders }: GraphqlContext): Promise<number> {
    const executions = await loaders.executionsOfCalls.load(view.id);
    return executions.reduce((sum, { promptTokens }) => sum + (promptTokens ?? 0), 0);
  }

  @Authorized<Permission>('executions:read')
  @FieldResolver(() => WholeNumber, { description: 'Tokens that its executions got out of models.' })
  async completionTokens(@Root() { view }: CallObject, @Ctx() { loaders }: GraphqlContext): Promise<number> {
    const executions = await loaders.executionsOfCalls.load(view.id);
    return executions.reduce((sum, { completionTokens }) => sum + (completionTokens ?? 0), 0);
  }

  @Authorized<Permission>('executions:read')
  @FieldResolver(() => Dollars, { description: 'What the models of its executions cost so far, in US dollars.' })
  async cost(@Root() { view }: CallObject, @Ctx() { loaders }: GraphqlContext): Promise<bigint> {
    const executions = await loaders.executionsOfCalls.load(view.id);
    return executions.reduce((sum, { costNanos }) => sum + (costNanos ?? 0n), 0n);
  }
}
