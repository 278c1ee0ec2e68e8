import { Arg, Args, Authorized, Ctx, ID, Mutation, Query, Resolver } from 'type-graphql';
import type { UserRole } from '../../access/access.entities.js';
import { createLoginLink } from '../../access/login-links.js';
import { inviteUser, setUserDisabled, updateUser } from '../../access/manage-users.js';
import { type Permission, requirePermission } from '../../access/permissions.js';
import { countUsers, listUsers, type UserFilter } from '../../access/read-users.js';
import type { Connection } from '../connections.js';
import type { GraphqlContext } from '../context.js';
import { keysetConnection, listedPage } from '../keyset-connection.js';
import { readId } from '../public-id.js';
import {
  CreateLoginLinkInput,
  CreateLoginLinkPayload,
  DisableUserInput,
  DisableUserPayload,
  EnableUserInput,
  EnableUserPayload,
  InviteUserInput,
  InviteUserPayload,
  UpdateUserInput,
  UpdateUserPayload,
  UserConnection,
  UserObject,
  UsersArgs,
} from '../types/user.js';

@Resolver()
export class UserResolver {
  @Authorized<Permission>('users:read')
  @Query(() => UserObject, { nullable: true, description: 'A user; null when there is no such one.' })
  async user(
    @Ctx() { loaders, principal }: GraphqlContext,
    @Arg('id', () => ID, { description: "The user's id." }) id: string,
  ): Promise<UserObject | undefined> {
    requirePermission(principal, 'users:read');
    const view = await loaders.users.load(readId('user', id));
    return view && new UserObject(view);
  }

  @Authorized<Permission>('users:read')
  @Query(() => UserConnection, {
    description: 'Everybody who may use the admin API, the newest first unless `order` says otherwise.',
  })
  async users(
    @Ctx() { services, principal }: GraphqlContext,
    @Args(() => UsersArgs) args: UsersArgs,
  ): Promise<Connection<UserObject>> {
    const sql = services.database.pool;
    const filter: UserFilter = {
      role: args.role ? roleOf(args.role) : undefined,
      disabled: args.disabled ?? undefined,
      text: args.text ?? undefined,
    };
    const page = await listedPage('user', args, (request) => listUsers(sql, principal, filter, request));
    return new UserConnection(
      keysetConnection(
        page,
        (view) => new UserObject(view),
        () => countUsers(sql, principal, filter),
      ),
    );
  }

  @Authorized<Permission>('users:manage')
  @Mutation(() => InviteUserPayload, {
    description:
      'Lets somebody in. The answer has a link that signs them in once; give it to nobody else. A repeat has none: `createLoginLink` makes another.',
  })
  async inviteUser(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => InviteUserInput, { description: 'Who it is.' }) input: InviteUserInput,
  ): Promise<InviteUserPayload> {
    const outcome = await inviteUser(services, principal, {
      name: input.name,
      email: input.email,
      role: roleOf(input.role),
      idempotencyKey: input.idempotencyKey,
    });
    if (!outcome.ok) return { userErrors: outcome.userErrors };
    const { user, loginToken } = outcome.value;
    return {
      user: new UserObject(user),
      ...(loginToken !== undefined && { loginUrl: loginUrl(services.publicUrl(), loginToken) }),
      userErrors: [],
    };
  }

  @Authorized<Permission>('users:manage')
  @Mutation(() => UpdateUserPayload, {
    description: 'Changes a user. A new role holds at once, and closes the subscriptions that they have open.',
  })
  async updateUser(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => UpdateUserInput, { description: 'What is to change.' }) input: UpdateUserInput,
  ): Promise<UpdateUserPayload> {
    const outcome = await updateUser(services, principal, {
      id: readId('user', input.id),
      expectedVersion: input.expectedVersion ?? undefined,
      name: input.name ?? undefined,
      email: input.email,
      role: input.role ? roleOf(input.role) : undefined,
    });
    return outcome.ok ? { user: new UserObject(outcome.value), userErrors: [] } : { userErrors: outcome.userErrors };
  }

  @Authorized<Permission>('users:manage')
  @Mutation(() => DisableUserPayload, {
    description: 'Shuts a user out at once, in every process. Their sessions end; what they made stays.',
  })
  async disableUser(
    @Ctx() context: GraphqlContext,
    @Arg('input', () => DisableUserInput, { description: 'Whom to shut out.' }) input: DisableUserInput,
  ): Promise<DisableUserPayload> {
    return await setDisabled(context, input, true);
  }

  @Authorized<Permission>('users:manage')
  @Mutation(() => EnableUserPayload, { description: 'Lets a user in again who was shut out; their tokens work again.' })
  async enableUser(
    @Ctx() context: GraphqlContext,
    @Arg('input', () => EnableUserInput, { description: 'Whom to let in.' }) input: EnableUserInput,
  ): Promise<EnableUserPayload> {
    return await setDisabled(context, input, false);
  }

  @Authorized<Permission>('users:manage')
  @Mutation(() => CreateLoginLinkPayload, {
    description: 'Makes a link that signs a user in once within three days. Whoever has it is that user.',
  })
  async createLoginLink(
    @Ctx() { services, principal }: GraphqlContext,
    @Arg('input', () => CreateLoginLinkInput, { description: 'For whom.' }) input: CreateLoginLinkInput,
  ): Promise<CreateLoginLinkPayload> {
    const { token, expiresAt } = await createLoginLink(services, principal, readId('user', input.userId));
    return { loginUrl: loginUrl(services.publicUrl(), token), expiresAt, userErrors: [] };
  }
}

async function setDisabled(
  { services, principal }: GraphqlContext,
  input: DisableUserInput,
  disabled: boolean,
): Promise<DisableUserPayload> {
  const outcome = await setUserDisabled(services, principal, {
    id: readId('user', input.id),
    expectedVersion: input.expectedVersion ?? undefined,
    disabled,
  });
  return outcome.ok ? { user: new UserObject(outcome.value), userErrors: [] } : { userErrors: outcome.userErrors };
}

function roleOf(role: Uppercase<UserRole>): UserRole {
  return role.toLowerCase() as UserRole;
}

function loginUrl(publicUrl: string, token: string): string {
  return `${publicUrl}/login?token=${token}`;
}
