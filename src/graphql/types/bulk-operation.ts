import { Field, Float, ID, InputType, ObjectType } from 'type-graphql';
import type { BulkFailure, BulkOperationView } from '../../bulk/bulk-operation.js';
import type { CallbackStatus as CallbackStatusName } from '../../callbacks/callback.js';
import type { CallOutcome as CallOutcomeName } from '../../calls/call.entity.js';
import type { WorkerVersionChoice as WorkerVersionChoiceName } from '../../executions/retry.js';
import type { ExecutionStatus as ExecutionStatusName } from '../../executions/states.js';
import { formatId } from '../../lib/ids.js';
import { connectionType } from '../connections.js';
import { DateTime, Json, WholeNumber } from '../scalars.js';
import {
  BulkOperationKind,
  BulkOperationStatus,
  CallbackStatus,
  CallOutcome,
  ExecutionStatus,
  WorkerVersionChoice,
} from './enums.js';
import { NodeObject } from './node.js';
import type { WithUserErrors } from './user-error.js';
import { payloadType } from './payload-type.js';

@ObjectType('BulkOperationFailure', { description: 'One that a bulk operation could not do.' })
class BulkOperationFailureObject implements BulkFailure {
  @Field(() => ID, { description: 'The id of the call, execution or callback that it could not be done to.' })
  readonly id!: string;

  @Field(() => String, { description: 'Why, for a person.' })
  readonly reason!: string;
}

@ObjectType('BulkOperation', {
  description: 'Something that is done to many in the background: it survives the end of any process.',
  implements: NodeObject,
})
export class BulkOperationObject extends NodeObject {
  constructor(readonly view: BulkOperationView) {
    super(formatId('bulkOperation', view.id));
  }

  @Field(() => BulkOperationKind, { description: 'What it does to each.' })
  get kind(): BulkOperationView['kind'] {
    return this.view.kind;
  }

  @Field(() => BulkOperationStatus, { description: 'Where it stands.' })
  get status(): BulkOperationView['status'] {
    return this.view.status;
  }

  @Field(() => Json, { description: 'To what it is done, with the times that were filled in.' })
  get filter(): Readonly<Record<string, unknown>> {
    const { webhookId, callId, ...filter } = this.view.filter;
    return {
      ...(webhookId !== undefined && { webhookId: formatId('webhook', webhookId) }),
      ...(callId !== undefined && { callId: formatId('call', callId) }),
      ...filter,
    };
  }

  @Field(() => WorkerVersionChoice, {
    nullable: true,
    description: 'At which version workers run; null where none do.',
  })
  get workerVersion(): BulkOperationView['workerVersion'] {
    return this.view.workerVersion;
  }

  @Field(() => Float, { description: 'How far it has come through the time that it goes over, from 0 to 1.' })
  get progress(): number {
    return this.view.progress;
  }

  @Field(() => WholeNumber, { description: 'How many were looked at, whether the filter took them or not.' })
  get lookedAt(): number {
    return this.view.lookedAt;
  }

  @Field(() => WholeNumber, { description: 'To how many it was done.' })
  get succeeded(): number {
    return this.view.succeeded;
  }

  @Field(() => WholeNumber, { description: 'To how many it could not be done.' })
  get failed(): number {
    return this.view.failed;
  }

  @Field(() => [BulkOperationFailureObject], {
    description: 'The first 20 that could not be done, each with the reason; `failed` counts them all.',
  })
  get failures(): readonly BulkFailure[] {
    return this.view.failures;
  }

  @Field(() => DateTime, { description: 'When it was asked for. What came later is left alone.' })
  get createdAt(): Date {
    return this.view.createdAt;
  }

  @Field(() => DateTime, { nullable: true, description: 'When a runner began with it.' })
  get startedAt(): Date | null {
    return this.view.startedAt;
  }

  @Field(() => DateTime, { nullable: true, description: 'When it was completed or canceled.' })
  get finishedAt(): Date | null {
    return this.view.finishedAt;
  }
}

export const BulkOperationConnection = connectionType('BulkOperation', () => BulkOperationObject);

@InputType('ReplayCallsFilter', { description: 'Which calls to replay: give a webhook, a worker or `from`.' })
export class ReplayCallsFilter {
  @Field(() => ID, { nullable: true, description: 'Only those of this webhook.' })
  webhookId?: string | null;

  @Field(() => ID, { nullable: true, description: 'Only those that started this worker.' })
  workerId?: string | null;

  @Field(() => [CallOutcome], {
    nullable: true,
    description: 'Only those with one of these outcomes; without it, those that succeeded or failed.',
  })
  outcomes?: CallOutcomeName[] | null;

  @Field(() => DateTime, { nullable: true, description: 'Only those received then or later.' })
  from?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Only those received before.' })
  to?: Date | null;
}

@InputType('ExecutionsFilter', {
  description: 'Which executions to retry or cancel: give a webhook, a call, a worker or `from`.',
})
export class ExecutionsFilter {
  @Field(() => ID, { nullable: true, description: 'Only those of this webhook.' })
  webhookId?: string | null;

  @Field(() => ID, { nullable: true, description: 'Only those of this call.' })
  callId?: string | null;

  @Field(() => ID, { nullable: true, description: 'Only those of this worker.' })
  workerId?: string | null;

  @Field(() => [ExecutionStatus], {
    nullable: true,
    description: 'Only those with one of these; without it FAILED and TIMED_OUT to retry, all that go on to cancel.',
  })
  statuses?: ExecutionStatusName[] | null;

  @Field(() => DateTime, { nullable: true, description: 'Only those whose call was received then or later.' })
  from?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Only those whose call was received before.' })
  to?: Date | null;
}

@InputType('ReplayCallbacksFilter', { description: 'Which callbacks to send again: give a webhook or `from`.' })
export class ReplayCallbacksFilter {
  @Field(() => ID, { nullable: true, description: 'Only those of this webhook.' })
  webhookId?: string | null;

  @Field(() => [CallbackStatus], {
    nullable: true,
    description: 'Only those with one of these statuses; without it, those that were given up.',
  })
  statuses?: CallbackStatusName[] | null;

  @Field(() => DateTime, { nullable: true, description: 'Only those whose call was received then or later.' })
  from?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Only those whose call was received before.' })
  to?: Date | null;
}

const KEY = {
  nullable: true,
  description: 'Asked again with the same one, nothing new is begun and the same operation is given.',
};

const VERSION = { defaultValue: 'PRESENT', description: 'At which version the workers run.' };

@InputType('ReplayCallsInput', { description: 'Which calls to replay, and how.' })
export class ReplayCallsInput {
  @Field(() => ReplayCallsFilter, { description: 'Which ones.' })
  filter!: ReplayCallsFilter;

  @Field(() => WorkerVersionChoice, VERSION)
  workerVersion!: WorkerVersionChoiceName;

  @Field(() => String, KEY)
  idempotencyKey?: string | null;
}

@InputType('RetryExecutionsInput', { description: 'Which executions to retry, and how.' })
export class RetryExecutionsInput {
  @Field(() => ExecutionsFilter, { description: 'Which ones.' })
  filter!: ExecutionsFilter;

  @Field(() => WorkerVersionChoice, VERSION)
  workerVersion!: WorkerVersionChoiceName;

  @Field(() => String, KEY)
  idempotencyKey?: string | null;
}

@InputType('CancelExecutionsInput', { description: 'Which executions to cancel.' })
export class CancelExecutionsInput {
  @Field(() => ExecutionsFilter, { description: 'Which ones.' })
  filter!: ExecutionsFilter;

  @Field(() => String, KEY)
  idempotencyKey?: string | null;
}

@InputType('ReplayCallbacksInput', { description: 'Which callbacks to send again.' })
export class ReplayCallbacksInput {
  @Field(() => ReplayCallbacksFilter, { description: 'Which ones.' })
  filter!: ReplayCallbacksFilter;

  @Field(() => String, KEY)
  idempotencyKey?: string | null;
}

@InputType('CancelBulkOperationInput', { description: 'Which bulk operation to end.' })
export class CancelBulkOperationInput {
  @Field(() => ID, { description: "The operation's id." })
  id!: string;
}

/** What every bulk mutation gives: each has a type of its own, so that it can grow by itself. */
export interface BulkOperationPayload extends WithUserErrors {
  readonly bulkOperation?: BulkOperationObject;
}

const bulkPayload = (mutation: string): new () => BulkOperationPayload =>
  payloadType<BulkOperationPayload>(
    mutation,
    'bulkOperation',
    () => BulkOperationObject,
    'The operation as it is now.',
  );

export const ReplayCallsPayload = bulkPayload('replayCalls');
export const RetryExecutionsPayload = bulkPayload('retryExecutions');
export const CancelExecutionsPayload = bulkPayload('cancelExecutions');
export const ReplayCallbacksPayload = bulkPayload('replayCallbacks');
export const CancelBulkOperationPayload = bulkPayload('cancelBulkOperation');
