import { Field, Int, ObjectType } from 'type-graphql';
import { DocumentLimit } from './enums.js';
import type { DocumentLimitName } from '../limits/document-limits.js';
import { WholeNumber } from '../scalars.js';

@ObjectType('DocumentMeasure', { description: 'How much a document has of what is limited.' })
export class DocumentMeasureObject {
  @Field(() => DocumentLimit, { description: 'What is limited.' })
  readonly limit!: DocumentLimitName;

  @Field(() => Int, { description: 'How many it has.' })
  readonly used!: number;

  @Field(() => Int, { description: 'How many it may have.' })
  readonly maximum!: number;
}

@ObjectType('QueryCost', { description: 'How an operation stands to the limits. It was not run.' })
export class QueryCostObject {
  @Field(() => Boolean, {
    description: 'Whether it would pass all limits; `refusals` has the reasons when it would not.',
  })
  readonly allowed!: boolean;

  @Field(() => WholeNumber, {
    nullable: true,
    description:
      'What it would cost, as `extensions.cost` says it, a whole number: 1 a field, times the size of the page or list that it stands in. Null when it is refused for more than its cost.',
  })
  readonly requested!: number | null;

  @Field(() => Int, { description: 'What an operation may cost.' })
  readonly maximum!: number;

  @Field(() => [DocumentMeasureObject], {
    description: 'The other limits. Empty of a document with so many tokens that it was not read.',
  })
  readonly measures!: readonly DocumentMeasureObject[];

  @Field(() => [String], { description: 'Why it would be refused; empty when it would run.' })
  readonly refusals!: readonly string[];
}
