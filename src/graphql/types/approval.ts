import { Field, ID, InputType, ObjectType } from 'type-graphql';
import type { ApprovalView } from '../../executions/list-approvals.js';
import type { StepDecision, StepState } from '../../workers/worker-run.js';
import { connectionType } from '../connections.js';
import { DateTime } from '../scalars.js';
import { ExecutionObject } from './execution.js';
import type { WithUserErrors } from './user-error.js';
import { payloadType } from './payload-type.js';

@ObjectType('StepApproval', { description: 'What a step asks a person, and what one decided.' })
export class StepApprovalObject {
  readonly #state: StepState;

  constructor(state: StepState) {
    this.#state = state;
  }

  @Field(() => String, { nullable: true, description: 'What the person is asked.' })
  get message(): string | undefined {
    return this.#state.message;
  }

  @Field(() => DateTime, { description: 'When the step fails by itself because nobody decided.' })
  get expiresAt(): Date {
    return new Date(this.#state.wakeAtMs ?? 0);
  }

  @Field(() => Boolean, { nullable: true, description: 'Whether it was approved; null as long as nobody decided.' })
  get approved(): boolean | undefined {
    return this.decision?.approved;
  }

  @Field(() => DateTime, { nullable: true, description: 'When somebody decided.' })
  get decidedAt(): Date | undefined {
    return this.decision && new Date(this.decision.at);
  }

  @Field(() => String, {
    nullable: true,
    description: 'The comment given with the decision, at most 2,000 characters; null for none.',
  })
  get comment(): string | null | undefined {
    return this.decision?.comment;
  }

  get decision(): StepDecision | undefined {
    return this.#state.decision;
  }
}

@ObjectType('PendingApproval', { description: 'A step that waits for a person: `approveStep` or `rejectStep` it.' })
export class PendingApprovalObject {
  constructor(readonly view: ApprovalView) {}

  @Field(() => String, { description: "The step's path: for `approveStep` and `rejectStep`." })
  get path(): string {
    return this.view.path;
  }

  @Field(() => String, { nullable: true, description: 'What the person is asked.' })
  get message(): string | null {
    return this.view.message;
  }

  @Field(() => DateTime, { description: 'Since when it waits.' })
  get requestedAt(): Date {
    return this.view.requestedAt;
  }

  @Field(() => DateTime, { description: 'Until when somebody can decide.' })
  get expiresAt(): Date {
    return this.view.expiresAt;
  }
}

export const PendingApprovalConnection = connectionType('PendingApproval', () => PendingApprovalObject);

@InputType('DecideStepInput', { description: 'A step that waits for a person.' })
class DecideStepInput {
  @Field(() => ID, { description: "The execution's id." })
  executionId!: string;

  @Field(() => String, { description: "The step's path, as `ExecutionStep.path` has it." })
  path!: string;

  @Field(() => String, {
    nullable: true,
    description: 'Kept with the decision, at most 2,000 characters; of a rejection it stands in the error.',
  })
  comment?: string | null;
}

@InputType('ApproveStepInput', { description: 'Which step to approve.' })
export class ApproveStepInput extends DecideStepInput {}

@InputType('RejectStepInput', { description: 'Which step to reject.' })
export class RejectStepInput extends DecideStepInput {}

/** What became of a decision. */
export interface DecideStepPayload extends WithUserErrors {
  readonly execution?: ExecutionObject;
}

export const ApproveStepPayload = payloadType<DecideStepPayload>(
  'approveStep',
  'execution',
  () => ExecutionObject,
  'The execution as it is now; it goes on a moment later.',
);
export const RejectStepPayload = payloadType<DecideStepPayload>(
  'rejectStep',
  'execution',
  () => ExecutionObject,
  'The execution as it is now; it goes on a moment later.',
);
