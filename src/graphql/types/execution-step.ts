import { Field, Float, ID, Int, ObjectType } from 'type-graphql';
import type { ExecutionStepView, StepStatus as StepStatusName } from '../../executions/read-steps.js';
import type { StepUsage } from '../../workers/worker-run.js';
import { connectionType } from '../connections.js';
import { DateTime } from '../scalars.js';
import { StepApprovalObject } from './approval.js';
import { StepStatus, WorkflowStepKind, type WorkflowStepKindName } from './enums.js';
import { ExecutionErrorObject } from './execution.js';

@ObjectType('StepUsage', { description: 'What a step used of models.' })
class StepUsageObject implements StepUsage {
  @Field(() => Int, { nullable: true, description: 'Tokens that went into models.' })
  readonly promptTokens?: number;

  @Field(() => Int, { nullable: true, description: 'Tokens that came out of models.' })
  readonly completionTokens?: number;

  @Field(() => Int, { nullable: true, description: 'Of the prompt tokens, those that the provider had cached.' })
  readonly cachedTokens?: number;

  @Field(() => Float, { nullable: true, description: 'What it cost, in US dollars.' })
  readonly cost?: number;
}

@ObjectType('ExecutionStep', { description: 'One durable step of an execution. Finished once, it never runs again.' })
export class ExecutionStepObject {
  /** @param executionId a UUID. */
  constructor(
    readonly executionId: string,
    readonly view: ExecutionStepView,
  ) {}

  @Field(() => String, {
    description: 'Which step. Those of a worker that another one calls are below the path of the call.',
  })
  get path(): string {
    return this.view.path;
  }

  @Field(() => StepStatus, { description: 'Where it stands. A SUCCEEDED step is never run again, whatever crashes.' })
  get status(): StepStatusName {
    return this.view.status;
  }

  @Field(() => Int, { description: 'The attempt that began it last, from 1.' })
  get attempt(): number {
    return this.view.attempt;
  }

  @Field(() => ID, { nullable: true, description: 'The worker that it runs, when it is a call.' })
  get workerId(): string | null {
    return this.view.workerId;
  }

  @Field(() => Int, {
    nullable: true,
    description: 'The version of `workerId` that ran; null for steps that run no worker.',
  })
  get workerVersion(): number | null {
    return this.view.workerVersion;
  }

  @Field(() => WorkflowStepKind, { nullable: true, description: 'Of a step of a workflow, what it does.' })
  get kind(): WorkflowStepKindName | null {
    return (this.view.state?.kind.toUpperCase() as WorkflowStepKindName | undefined) ?? null;
  }

  @Field(() => Int, {
    nullable: true,
    description: 'Of a step of a workflow that can be tried again, how many tries were begun.',
  })
  get tries(): number | null {
    return this.view.state?.tries ?? null;
  }

  @Field(() => DateTime, { nullable: true, description: 'With WAITING, until when.' })
  get waitingUntil(): Date | null {
    const { status, state } = this.view;
    return status === 'WAITING' && state?.wakeAtMs !== undefined ? new Date(state.wakeAtMs) : null;
  }

  @Field(() => StepApprovalObject, { nullable: true, description: 'Of an approval, what is asked and decided.' })
  get approval(): StepApprovalObject | null {
    const { state } = this.view;
    return state?.kind === 'approval' ? new StepApprovalObject(state) : null;
  }

  @Field(() => DateTime, { description: 'When it began; a step that is begun anew, when it did so last.' })
  get startedAt(): Date {
    return this.view.startedAt;
  }

  @Field(() => DateTime, { nullable: true, description: 'When it succeeded, failed or was skipped; null until then.' })
  get finishedAt(): Date | null {
    return this.view.finishedAt;
  }

  @Field(() => StepUsageObject, { nullable: true, description: 'What it used of models, if it says.' })
  get usage(): StepUsageObject | null {
    return this.view.usage;
  }

  @Field(() => ExecutionErrorObject, { nullable: true, description: 'Why it failed.' })
  get error(): ExecutionErrorObject | null {
    return this.view.error;
  }
}

export const ExecutionStepConnection = connectionType('ExecutionStep', () => ExecutionStepObject);
