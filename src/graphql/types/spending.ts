import { Field, ID, InputType, ObjectType } from 'type-graphql';
import { formatId } from '../../lib/ids.js';
import type { UserError } from '../../lib/user-error.js';
import type { SpentToday, UsageView } from '../../models/read-usage.js';
import type { SpendCap } from '../../models/spend-caps.js';
import { connectionType } from '../connections.js';
import { DateTime, Dollars, WholeNumber } from '../scalars.js';
import { USER_ERRORS, UserErrorObject, type WithUserErrors } from './user-error.js';

@ObjectType('SpendCap', { description: 'What a webhook may spend on a day in UTC, and what it has spent today.' })
export class SpendCapObject {
  constructor(
    private readonly cap: SpendCap,
    private readonly spent: SpentToday,
  ) {}

  @Field(() => WholeNumber, { nullable: true, description: 'Tokens in and out of models; null is no cap.' })
  get tokensPerDay(): number | null {
    return this.cap.tokensPerDay;
  }

  @Field(() => Dollars, {
    nullable: true,
    name: 'costPerDay',
    description:
      'US dollars that models may cost on a day in UTC; beyond, executions fail with SPEND_CAP_REACHED. Null is no cap.',
  })
  get costNanosPerDay(): bigint | null {
    return this.cap.costNanosPerDay;
  }

  @Field(() => WholeNumber, { nullable: true, description: 'Executions that begin; null is no cap.' })
  get runsPerDay(): number | null {
    return this.cap.runsPerDay;
  }

  @Field(() => WholeNumber, { description: 'Tokens in and out of models since midnight UTC.' })
  get tokensToday(): number {
    return this.spent.tokens;
  }

  @Field(() => Dollars, { name: 'costToday', description: 'US dollars that its models have cost since midnight UTC.' })
  get costNanosToday(): bigint {
    return this.spent.costNanos;
  }

  @Field(() => WholeNumber, {
    description: 'Executions that began today; counted while there is a cap of them.',
  })
  get runsToday(): number {
    return this.spent.runs;
  }
}

@InputType('SetSpendCapInput', {
  description: 'What a webhook may spend on a day in UTC. What is left out stays as it is.',
})
export class SetSpendCapInput {
  @Field(() => ID, { description: "The webhook's id." })
  webhookId!: string;

  @Field(() => WholeNumber, {
    nullable: true,
    description: 'Tokens in and out of models; 0 is none, null takes the cap away.',
  })
  tokensPerDay?: number | null;

  @Field(() => Dollars, { nullable: true, description: 'US dollars; null takes the cap away.' })
  costPerDay?: bigint | null;

  @Field(() => WholeNumber, {
    nullable: true,
    description: 'Executions that begin; 0 is none, null takes the cap away.',
  })
  runsPerDay?: number | null;
}

@ObjectType('SetSpendCapPayload', { description: 'What became of `setSpendCap`.' })
export class SetSpendCapPayload implements WithUserErrors {
  @Field(() => SpendCapObject, { nullable: true, description: 'The cap that holds now.' })
  readonly spendCap?: SpendCapObject;

  @Field(() => [UserErrorObject], USER_ERRORS)
  readonly userErrors!: readonly UserError[];
}

@ObjectType('ModelUsage', { description: 'What the steps of one model were charged on one day.' })
export class ModelUsageObject {
  constructor(private readonly view: UsageView) {}

  @Field(() => DateTime, { description: 'The beginning of the day, in UTC.' })
  get day(): Date {
    return this.view.day;
  }

  @Field(() => ID, { description: "The model's id, also when it is deleted." })
  get modelId(): string {
    return formatId('model', this.view.modelId);
  }

  @Field(() => String, { description: "The model's name." })
  get modelName(): string {
    return this.view.modelName;
  }

  @Field(() => WholeNumber, { description: 'Steps that were paid.' })
  get steps(): number {
    return this.view.steps;
  }

  @Field(() => WholeNumber, { description: 'Tokens that went in, the cached ones included.' })
  get promptTokens(): number {
    return this.view.promptTokens;
  }

  @Field(() => WholeNumber, { description: 'Tokens that came out.' })
  get completionTokens(): number {
    return this.view.completionTokens;
  }

  @Field(() => WholeNumber, { description: "Tokens that went in from the provider's cache." })
  get cachedTokens(): number {
    return this.view.cachedTokens;
  }

  @Field(() => Dollars, {
    name: 'cost',
    description: 'What those tokens cost in US dollars, by the prices that the model had at each step.',
  })
  get costNanos(): bigint {
    return this.view.costNanos;
  }
}

export const ModelUsageConnection = connectionType<ModelUsageObject>('ModelUsage', () => ModelUsageObject);
