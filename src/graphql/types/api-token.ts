import { Field, ID, InputType, ObjectType } from 'type-graphql';
import type { ApiTokenView } from '../../access/api-tokens.js';
import type { UserError } from '../../lib/user-error.js';
import { formatId } from '../../lib/ids.js';
import { connectionType } from '../connections.js';
import { DateTime } from '../scalars.js';
import { USER_ERRORS, UserErrorObject, type WithUserErrors } from './user-error.js';
import { IDEMPOTENCY_KEY } from './idempotency-key.js';

@ObjectType('ApiToken', { description: 'A token for the admin API, without its text.' })
export class ApiTokenObject {
  @Field(() => ID, { description: 'The id of this token.' })
  readonly id: string;

  @Field(() => String, { description: 'What its owner calls it, 1 to 200 characters.' })
  readonly name: string;

  @Field(() => String, { description: 'The end of its text, by which its owner knows it again.' })
  readonly hint: string;

  @Field(() => [String], {
    description: "The permissions that it is narrowed to; empty for all that its user's role has.",
  })
  readonly scopes: readonly string[];

  @Field(() => DateTime, { description: 'When it was made.' })
  readonly createdAt: Date;

  @Field(() => DateTime, { nullable: true, description: 'When it ends by itself; null for never.' })
  readonly expiresAt: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'When it was last used, to within a minute.' })
  readonly lastUsedAt: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'When somebody ended it.' })
  readonly revokedAt: Date | null;

  constructor(view: ApiTokenView) {
    this.id = formatId('apiToken', view.id);
    this.name = view.name;
    this.hint = view.hint;
    this.scopes = view.scopes;
    this.createdAt = view.createdAt;
    this.expiresAt = view.expiresAt;
    this.lastUsedAt = view.lastUsedAt;
    this.revokedAt = view.revokedAt;
  }
}

export const ApiTokenConnection = connectionType('ApiToken', () => ApiTokenObject);

@InputType('CreateApiTokenInput', { description: 'What a new token is to be.' })
export class CreateApiTokenInput {
  @Field(() => String, IDEMPOTENCY_KEY)
  idempotencyKey?: string | null;

  @Field(() => String, { description: 'A name to know it by, 1 to 200 characters.' })
  name!: string;

  @Field(() => [String], {
    nullable: true,
    description:
      "Permissions to narrow it to, such as `webhooks:read`; without any it has all that its user's role has.",
  })
  scopes?: string[] | null;

  @Field(() => DateTime, { nullable: true, description: 'When it ends by itself; never without it.' })
  expiresAt?: Date | null;
}

@ObjectType('CreateApiTokenPayload', { description: 'What became of `createApiToken`.' })
export class CreateApiTokenPayload implements WithUserErrors {
  @Field(() => ApiTokenObject, { nullable: true, description: 'The new token.' })
  readonly apiToken?: ApiTokenObject;

  @Field(() => String, { nullable: true, description: 'Its text, shown this once.' })
  readonly token?: string;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}

@InputType('RevokeApiTokenInput', { description: 'Which token to end.' })
export class RevokeApiTokenInput {
  @Field(() => ID, { description: "The token's id." })
  id!: string;
}

@ObjectType('RevokeApiTokenPayload', { description: 'What became of `revokeApiToken`.' })
export class RevokeApiTokenPayload implements WithUserErrors {
  @Field(() => ApiTokenObject, { nullable: true, description: 'The token that ended.' })
  readonly apiToken?: ApiTokenObject;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}
