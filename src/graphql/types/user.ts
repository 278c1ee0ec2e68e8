import { Field, ID, ObjectType } from 'type-graphql';
import type { UserRole } from '../../access/access.entities.js';
import type { UserView } from '../../access/read-users.js';
import { formatId } from '../../lib/ids.js';
import { DateTime } from '../scalars.js';
import { UserRoleEnum } from './enums.js';

@ObjectType('User', { description: 'Somebody who may use the admin API.' })
export class UserObject {
  @Field(() => ID, { description: 'The id of this user.' })
  readonly id: string;

  @Field(() => String, { description: 'The name.' })
  readonly name: string;

  @Field(() => String, { nullable: true, description: 'The e-mail address, if there is one.' })
  readonly email: string | null;

  @Field(() => UserRoleEnum, { description: 'What this user may do.' })
  readonly role: Uppercase<UserRole>;

  @Field(() => DateTime, { description: 'When the user was made.' })
  readonly createdAt: Date;

  constructor(view: UserView) {
    this.id = formatId('user', view.id);
    this.name = view.name;
    this.email = view.email;
    this.role = view.role.toUpperCase() as Uppercase<UserRole>;
    this.createdAt = view.createdAt;
  }
}
