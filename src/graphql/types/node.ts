import { Field, ID, InterfaceType } from 'type-graphql';

/** What can be asked for by its id alone. */
@InterfaceType('Node', { description: 'What can be read again by its id alone, with `node`.' })
export abstract class NodeObject {
  @Field(() => ID, { description: 'The id, as it stands everywhere: its prefix says what it is of.' })
  readonly id: string;

  constructor(id: string) {
    this.id = id;
  }
}
