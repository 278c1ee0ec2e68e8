import { ArgsType, Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import type { UserRole } from '../../access/access.entities.js';
import type { UserView } from '../../access/read-users.js';
import { formatId } from '../../lib/ids.js';
import type { UserError } from '../../lib/user-error.js';
import { connectionType } from '../connections.js';
import { ListedArgs } from '../keyset-connection.js';
import { DateTime } from '../scalars.js';
import { UserRoleEnum } from './enums.js';
import { EXPECTED_VERSION } from './expected-version.js';
import { NodeObject } from './node.js';
import { USER_ERRORS, UserErrorObject, type WithUserErrors } from './user-error.js';
import { IDEMPOTENCY_KEY } from './idempotency-key.js';

@ObjectType('User', { implements: NodeObject, description: 'Somebody who may use the admin API.' })
export class UserObject extends NodeObject {
  @Field(() => String, { description: 'What other people see, 1 to 200 characters.' })
  readonly name: string;

  @Field(() => String, { nullable: true, description: 'The e-mail address, if there is one.' })
  readonly email: string | null;

  @Field(() => UserRoleEnum, { description: 'The role: the most that the user and any of their tokens may do.' })
  readonly role: Uppercase<UserRole>;

  @Field(() => Int, { description: 'Goes up with every change; for `expectedVersion`.' })
  readonly version: number;

  @Field(() => DateTime, { description: 'When the user was made.' })
  readonly createdAt: Date;

  @Field(() => DateTime, { nullable: true, description: 'Since when the user is shut out; null for who may sign in.' })
  readonly disabledAt: Date | null;

  constructor(view: UserView) {
    super(formatId('user', view.id));
    this.name = view.name;
    this.email = view.email;
    this.role = view.role.toUpperCase() as Uppercase<UserRole>;
    this.version = view.version;
    this.createdAt = view.createdAt;
    this.disabledAt = view.disabledAt;
  }
}

export const UserConnection = connectionType('User', () => UserObject);

@ArgsType()
export class UsersArgs extends ListedArgs {
  @Field(() => UserRoleEnum, { nullable: true, description: 'Only those with this role.' })
  role?: Uppercase<UserRole> | null;

  @Field(() => Boolean, { nullable: true, description: 'Only those who are shut out, or only those who are not.' })
  disabled?: boolean | null;

  @Field(() => String, { nullable: true, description: 'Only those with this in their name or address, in any case.' })
  text?: string | null;
}

@InputType('InviteUserInput', { description: 'Who is to be let in.' })
export class InviteUserInput {
  @Field(() => String, IDEMPOTENCY_KEY)
  idempotencyKey?: string | null;

  @Field(() => String, { description: 'The name, 1 to 200 characters.' })
  name!: string;

  @Field(() => String, {
    nullable: true,
    description: 'The e-mail address; an identity provider knows the user by it.',
  })
  email?: string | null;

  @Field(() => UserRoleEnum, { description: 'What the user may do; not more than you may.' })
  role!: Uppercase<UserRole>;
}

@ObjectType('InviteUserPayload', { description: 'What became of `inviteUser`.' })
export class InviteUserPayload implements WithUserErrors {
  @Field(() => UserObject, { nullable: true, description: 'The new user.' })
  readonly user?: UserObject;

  @Field(() => String, {
    nullable: true,
    description: 'A link that signs the user in once within three days; shown this once.',
  })
  readonly loginUrl?: string;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}

@InputType('UpdateUserInput', { description: 'What is to change of a user. What is left out stays as it is.' })
export class UpdateUserInput {
  @Field(() => ID, { description: "The user's id." })
  id!: string;

  @Field(() => Int, EXPECTED_VERSION)
  expectedVersion?: number | null;

  @Field(() => String, { nullable: true, description: 'The name, 1 to 200 characters.' })
  name?: string | null;

  @Field(() => String, { nullable: true, description: 'The e-mail address; null takes it away.' })
  email?: string | null;

  @Field(() => UserRoleEnum, { nullable: true, description: 'What the user may do; not more than you may.' })
  role?: Uppercase<UserRole> | null;
}

@ObjectType('UpdateUserPayload', { description: 'What became of `updateUser`.' })
export class UpdateUserPayload implements WithUserErrors {
  @Field(() => UserObject, { nullable: true, description: 'The user as they are now.' })
  readonly user?: UserObject;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}

@InputType('DisableUserInput', { description: 'Whom to shut out.' })
export class DisableUserInput {
  @Field(() => ID, { description: "The user's id." })
  id!: string;

  @Field(() => Int, EXPECTED_VERSION)
  expectedVersion?: number | null;
}

@ObjectType('DisableUserPayload', { description: 'What became of `disableUser`.' })
export class DisableUserPayload implements WithUserErrors {
  @Field(() => UserObject, { nullable: true, description: 'The user as they are now.' })
  readonly user?: UserObject;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}

@InputType('EnableUserInput', { description: 'Whom to let in again.' })
export class EnableUserInput {
  @Field(() => ID, { description: "The user's id." })
  id!: string;

  @Field(() => Int, EXPECTED_VERSION)
  expectedVersion?: number | null;
}

@ObjectType('EnableUserPayload', { description: 'What became of `enableUser`.' })
export class EnableUserPayload implements WithUserErrors {
  @Field(() => UserObject, { nullable: true, description: 'The user as they are now.' })
  readonly user?: UserObject;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}

@InputType('CreateLoginLinkInput', { description: 'For whom to make a login link.' })
export class CreateLoginLinkInput {
  @Field(() => ID, { description: "The user's id." })
  userId!: string;
}

@ObjectType('CreateLoginLinkPayload', { description: 'What became of `createLoginLink`.' })
export class CreateLoginLinkPayload implements WithUserErrors {
  @Field(() => String, { nullable: true, description: 'The link; it works once and is shown this once.' })
  readonly loginUrl?: string;

  @Field(() => DateTime, { nullable: true, description: 'Until when it works.' })
  readonly expiresAt?: Date;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}
