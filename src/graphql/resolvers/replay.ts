import { Arg, Authorized, Ctx, FieldResolver, Mutation, Resolver, Root } from 'type-graphql';
import type { Permission } from '../../access/permissions.js';
import { replayCall } from '../../webhooks/replay/replay-call.js';
import type { GraphqlContext } from '../context.js';
import { readId } from '../public-id.js';
import { CallObject } from '../types/call.js';
import { ReplayCallInput, ReplayCallPayload } from '../types/replay.js';

@Resolver()
export class ReplayMutations {
  @Authorized<Permission>('executions:operate')
  @Mutation(() => ReplayCallPayload, {
    description:
      'Makes a new call with the body and headers of another one. Authentication, rate limits and the filter were for its sender and are not asked again.',
  })
  async replayCall(
    @Ctx() { services, principal, loaders }: GraphqlContext,
    @Arg('input', () => ReplayCallInput, { description: 'Which one, and how.' }) input: ReplayCallInput,
  ): Promise<ReplayCallPayload> {
    const outcome = await replayCall(services.replay, principal, {
      id: readId('call', input.id),
      workerVersion: input.workerVersion,
      idempotencyKey: input.idempotencyKey ?? undefined,
    });
    if (!outcome.ok) return { userErrors: outcome.userErrors };
    const view = await loaders.calls.clear(outcome.value).load(outcome.value);
    return { ...(view !== undefined && { call: new CallObject(view) }), userErrors: [] };
  }
}

@Resolver(() => CallObject)
export class ReplayFields {
  @FieldResolver(() => CallObject, { nullable: true, description: 'The call that it is a replay of.' })
  async replayOf(@Root() { view }: CallObject, @Ctx() { loaders }: GraphqlContext): Promise<CallObject | undefined> {
    const call = view.replayOf === null ? undefined : await loaders.calls.load(view.replayOf);
    return call && new CallObject(call);
  }
}
