import { Field, ObjectType } from 'type-graphql';
import type { UserError } from '../../lib/user-error.js';

@ObjectType('UserError', { description: 'Something in the input that the user can mend. Nothing was changed.' })
export class UserErrorObject implements UserError {
  @Field(() => [String], {
    nullable: true,
    description: 'Where in the input: the names from its root to the field.',
  })
  readonly field!: readonly string[];

  @Field(() => String, { description: 'What is wrong, for a person.' })
  readonly message!: string;

  @Field(() => String, { description: 'What is wrong, for a program: upper snake case, such as `TOO_LONG`.' })
  readonly code!: string;
}

/** What every payload ends with. */
export interface WithUserErrors {
  readonly userErrors: readonly UserError[];
}

/** The description of that field. */
export const USER_ERRORS = { description: 'What the user can mend; empty when it was done.' };
