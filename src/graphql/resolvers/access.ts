import { Arg, Args, Authorized, Ctx, Mutation, Query, Resolver } from 'type-graphql';
import { createApiToken, listApiTokens, revokeApiToken } from '../../access/api-tokens.js';
import type { Permission } from '../../access/permissions.js';
import { AppError } from '../../errors.js';
import type { Connection } from '../connections.js';
import type { GraphqlContext } from '../context.js';
import { ListedArgs } from '../keyset-connection.js';
import { pageOfAll } from '../page-of-all.js';
import { readId } from '../public-id.js';
import {
  ApiTokenConnection,
  ApiTokenObject,
  CreateApiTokenInput,
  CreateApiTokenPayload,
  RevokeApiTokenInput,
  RevokeApiTokenPayload,
} from '../types/api-token.js';
import { UserObject } from '../types/user.js';

@Resolver()
export class AccessResolver {
  @Authorized()
  @Query(() => UserObject, { description: 'Who you are.' })
  async viewer(@Ctx() { principal, loaders }: GraphqlContext): Promise<UserObject> {
    if (principal === undefined) throw new AppError('UNAUTHENTICATED');
    const view = await loaders.users.load(principal.userId);
    if (view === undefined) throw new AppError('UNAUTHENTICATED');
    return new UserObject(view);
  }

  @Authorized<Permission>('tokens:manage')
  @Query(() => ApiTokenConnection, {
    description: 'Your API tokens, the newest first unless `order` says otherwise; ended ones too.',
  })
  async apiTokens(
    @Ctx() { services, principal }: GraphqlContext,
    @Args(() => ListedArgs) args: ListedArgs,
  ): Promise<Connection<ApiTokenObject>> {
    const newestFirst = (await listApiTokens(services, principal)).map((view) => new ApiTokenObject(view));
    const tokens = args.order === 'NEWEST_FIRST' ? newestFirst : newestFirst.toReversed();
    return new ApiTokenConnection(pageOfAll(tokens, ({ id }) => id, args));
  }

  @Authorized<Permission>('tokens:manage')
  @Mutation(() => CreateApiTokenPayload, {
    description: 'Makes an API token for yourself. Its text is shown this once.',
  })
  async createApiToken(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => CreateApiTokenInput, { description: 'What it is to be.' }) input: CreateApiTokenInput,
  ): Promise<CreateApiTokenPayload> {
    const { name, expiresAt, idempotencyKey } = input;
    const scopes = input.scopes ?? undefined;
    const outcome = await createApiToken(services, principal, { name, scopes, expiresAt, idempotencyKey });
    if (!outcome.ok) return { userErrors: outcome.userErrors };
    const { apiToken, token } = outcome.value;
    return { apiToken: new ApiTokenObject(apiToken), ...(token !== undefined && { token }), userErrors: [] };
  }

  @Authorized<Permission>('tokens:manage')
  @Mutation(() => RevokeApiTokenPayload, {
    description: 'Ends an API token at once, in every process; its subscriptions end too.',
  })
  async revokeApiToken(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => RevokeApiTokenInput, { description: 'Which one.' }) input: RevokeApiTokenInput,
  ): Promise<RevokeApiTokenPayload> {
    const apiToken = await revokeApiToken(services, principal, readId('apiToken', input.id));
    return { apiToken: new ApiTokenObject(apiToken), userErrors: [] };
  }
}
