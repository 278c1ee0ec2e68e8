import { Field, ID, Int, ObjectType } from 'type-graphql';
import type { ExecutionError } from '../../executions/execution.entity.js';
import type { ExecutionView } from '../../executions/execution-view.js';
import { formatId } from '../../lib/ids.js';
import { connectionType } from '../connections.js';
import { DateTime, Dollars, Json } from '../scalars.js';
import { ExecutionStatus } from './enums.js';
import { NodeObject } from './node.js';

@ObjectType('ExecutionError', { description: 'Why an execution did not succeed.' })
export class ExecutionErrorObject implements ExecutionError {
  @Field(() => String, { description: 'For a program: upper snake case, such as `WORKER_FAILED`.' })
  readonly code!: string;

  @Field(() => String, { description: 'What went wrong, in words; never with a secret in it.' })
  readonly message!: string;

  @Field(() => Boolean, {
    description: 'Whether the cause may pass (timeouts, 429, 5xx). Only such errors are retried by themselves.',
  })
  readonly retryable!: boolean;
}

@ObjectType('Execution', { description: 'One run of one worker for one call.', implements: NodeObject })
export class ExecutionObject extends NodeObject {
  constructor(readonly view: ExecutionView) {
    super(formatId('execution', view.id));
  }

  @Field(() => ID, { description: "The worker's id, also when it is deleted." })
  get workerId(): string {
    return this.view.workerId;
  }

  @Field(() => Int, {
    nullable: true,
    description: "The worker's version that it runs; null before its first attempt.",
  })
  get workerVersion(): number | null {
    return this.view.workerVersion;
  }

  @Field(() => Int, { description: "Its place among its call's executions, from 0." })
  get position(): number {
    return this.view.position;
  }

  @Field(() => ExecutionStatus, {
    description: 'Where it stands. SUCCEEDED, FAILED, TIMED_OUT, CANCELED and SKIPPED are final.',
  })
  get status(): ExecutionView['status'] {
    return this.view.status;
  }

  @Field(() => Int, { description: 'The attempt under way or the last one, from 1; 0 before the first.' })
  get attempt(): number {
    return this.view.attempt;
  }

  @Field(() => DateTime, { description: 'When its call was stored, or when it was retried.' })
  get queuedAt(): Date {
    return this.view.queuedAt;
  }

  @Field(() => DateTime, {
    nullable: true,
    description: 'When its first attempt began; null as long as it is queued, and when it never ran.',
  })
  get startedAt(): Date | null {
    return this.view.startedAt;
  }

  @Field(() => DateTime, { nullable: true, description: 'When it reached a final status; null until then.' })
  get finishedAt(): Date | null {
    return this.view.finishedAt;
  }

  @Field(() => DateTime, {
    nullable: true,
    description: 'When somebody canceled it while it ran; null when nobody did.',
  })
  get cancelRequestedAt(): Date | null {
    return this.view.cancelRequestedAt;
  }

  @Field(() => Int, { nullable: true, description: 'Tokens that went into models, if the worker says.' })
  get promptTokens(): number | null {
    return this.view.promptTokens;
  }

  @Field(() => Int, { nullable: true, description: 'Tokens that came out of models, if the worker says.' })
  get completionTokens(): number | null {
    return this.view.completionTokens;
  }

  @Field(() => Int, {
    nullable: true,
    description: "Tokens that went into models from their providers' cache; null when none was asked.",
  })
  get cachedTokens(): number | null {
    return this.view.cachedTokens;
  }

  @Field(() => Dollars, {
    nullable: true,
    name: 'cost',
    description: 'What its steps of models cost so far, in US dollars; null when none was made.',
  })
  get costNanos(): bigint | null {
    return this.view.costNanos;
  }

  @Field(() => Json, { nullable: true, description: 'What the worker returned; null until it succeeded.' })
  get result(): unknown {
    return this.view.result === null ? null : (JSON.parse(this.view.result) as unknown);
  }

  @Field(() => String, {
    nullable: true,
    description: 'What the worker returned as JSON text, exact to the last digit; null until it succeeded.',
  })
  get resultText(): string | null {
    return this.view.result;
  }

  @Field(() => ExecutionErrorObject, { nullable: true, description: 'Why it did not succeed.' })
  get error(): ExecutionErrorObject | null {
    return this.view.error;
  }
}

export const ExecutionConnection = connectionType('Execution', () => ExecutionObject);
