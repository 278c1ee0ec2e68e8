import { type ClassType, Field, ObjectType } from 'type-graphql';
import type { UserError } from '../../lib/user-error.js';
import { USER_ERRORS, UserErrorObject, type WithUserErrors } from './user-error.js';

/**
 * The type of what a mutation answers: one thing, and what the user can mend. Each mutation has a type of its own, so
 * that it can grow by itself.
 *
 * @param field what the thing is called in it.
 * @param thing its type.
 */
export function payloadType<Payload extends WithUserErrors>(
  mutation: string,
  field: Exclude<keyof Payload, 'userErrors'> & string,
  thing: () => ClassType,
  description: string,
): new () => Payload {
  @ObjectType(`${mutation[0]!.toUpperCase()}${mutation.slice(1)}Payload`, {
    description: `What became of \`${mutation}\`.`,
  })
  class PayloadObject implements WithUserErrors {
    @Field(() => [UserErrorObject], USER_ERRORS)
    readonly userErrors!: readonly UserError[];
  }
  Field(thing, { nullable: true, description })(PayloadObject.prototype, field);
  return PayloadObject as unknown as new () => Payload;
}
