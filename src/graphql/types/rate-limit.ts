import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import { formatId } from '../../lib/ids.js';
import type { UserError } from '../../lib/user-error.js';
import type { LimitScope } from '../../rate-limits/limit-scope.js';
import type { RateLimitView } from '../../rate-limits/read-rate-limits.js';
import { connectionType } from '../connections.js';
import { DateTime } from '../scalars.js';
import { RateLimitScope } from './enums.js';
import { USER_ERRORS, UserErrorObject, type WithUserErrors } from './user-error.js';

@ObjectType('RateLimit', { description: 'How many calls a minute are taken at most.' })
export class RateLimitObject {
  @Field(() => RateLimitScope, { description: 'Whose calls are counted together.' })
  readonly scope: LimitScope;

  @Field(() => ID, {
    nullable: true,
    description: 'The user or webhook that it is for; null for all that have no limit of their own.',
  })
  readonly subjectId: string | null;

  @Field(() => Int, { description: 'Calls a minute; 0 is no limit.' })
  readonly perMinute: number;

  @Field(() => DateTime, { nullable: true, description: 'When it was set; null while the configuration decides.' })
  readonly updatedAt: Date | null;

  constructor(view: RateLimitView) {
    this.scope = view.scope;
    this.subjectId =
      view.subjectId === null ? null : formatId(view.scope === 'USER' ? 'user' : 'webhook', view.subjectId);
    this.perMinute = view.perMinute;
    this.updatedAt = view.updatedAt;
  }
}

export const RateLimitConnection = connectionType('RateLimit', () => RateLimitObject);

@InputType('SetRateLimitInput', { description: 'A rate limit to set.' })
export class SetRateLimitInput {
  @Field(() => RateLimitScope, { description: 'Whose calls are counted together.' })
  scope!: LimitScope;

  @Field(() => ID, {
    nullable: true,
    description: 'The user or webhook that it is for; without it, all that have no limit of their own.',
  })
  subjectId?: string | null;

  @Field(() => Int, {
    nullable: true,
    description: 'Calls a minute; 0 is no limit, null goes back to what holds without this entry.',
  })
  perMinute?: number | null;
}

@ObjectType('SetRateLimitPayload', { description: 'What became of `setRateLimit`.' })
export class SetRateLimitPayload implements WithUserErrors {
  @Field(() => RateLimitObject, { nullable: true, description: 'The limit that holds now.' })
  readonly rateLimit?: RateLimitObject;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}
