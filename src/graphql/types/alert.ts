import { Field, Float, ID, InputType, ObjectType } from 'type-graphql';
import { type AlertKind as AlertKindName, type AlertView, summaryOf } from '../../alerts/alert.js';
import { formatId } from '../../lib/ids.js';
import { connectionType } from '../connections.js';
import { DateTime, WholeNumber } from '../scalars.js';
import { AlertKind, AlertStatus } from './enums.js';
import { NodeObject } from './node.js';
import type { WithUserErrors } from './user-error.js';
import { payloadType } from './payload-type.js';

@ObjectType('Alert', {
  description: 'Word that the calls of a webhook are not as they used to be. One of each kind at a time for a webhook.',
  implements: NodeObject,
})
export class AlertObject extends NodeObject {
  constructor(readonly view: AlertView) {
    super(formatId('alert', view.id));
  }

  @Field(() => AlertKind, { description: 'Which pattern was seen: failures, rejections, a surge or silence.' })
  get kind(): AlertKindName {
    return this.view.kind;
  }

  @Field(() => AlertStatus, {
    description: 'OPEN until somebody acknowledges it; RESOLVED by a person or when its pattern ends.',
  })
  get status(): AlertView['status'] {
    return this.view.status;
  }

  @Field(() => String, { description: 'What is unusual, in a sentence with the numbers.' })
  get summary(): string {
    return summaryOf(this.view);
  }

  @Field(() => Float, {
    description:
      'What was seen the last time that the pattern was: a share from 0 to 1 (`FAILURES`, `REJECTIONS`) or calls (`SURGE`, `SILENCE`).',
  })
  get observed(): number {
    return this.view.observed;
  }

  @Field(() => Float, { description: 'What `observed` was in the time before that it was compared with.' })
  get expected(): number {
    return this.view.expected;
  }

  @Field(() => WholeNumber, { description: 'How many calls `observed` rests on.' })
  get calls(): number {
    return this.view.calls;
  }

  @Field(() => DateTime, { description: 'When the pattern was first seen.' })
  get openedAt(): Date {
    return this.view.openedAt;
  }

  @Field(() => DateTime, { description: 'When the comparison, made every five minutes, last found the pattern.' })
  get lastSeenAt(): Date {
    return this.view.lastSeenAt;
  }

  @Field(() => DateTime, {
    nullable: true,
    description: 'When the pattern was found to be over; null while it goes on, also of an alert that was resolved.',
  })
  get endedAt(): Date | null {
    return this.view.endedAt;
  }

  @Field(() => DateTime, { nullable: true, description: 'When somebody acknowledged it.' })
  get acknowledgedAt(): Date | null {
    return this.view.acknowledgedAt;
  }

  @Field(() => DateTime, { nullable: true, description: 'When somebody resolved it, or it resolved itself.' })
  get resolvedAt(): Date | null {
    return this.view.resolvedAt;
  }
}

export const AlertConnection = connectionType('Alert', () => AlertObject);

@InputType('AcknowledgeAlertInput', { description: 'Which alert somebody looks after.' })
export class AcknowledgeAlertInput {
  @Field(() => ID, { description: "The alert's id." })
  id!: string;
}

@InputType('ResolveAlertInput', { description: 'Which alert is dealt with.' })
export class ResolveAlertInput {
  @Field(() => ID, { description: "The alert's id." })
  id!: string;
}

/** What both mutations give: each has a type of its own, so that it can grow by itself. */
export interface AlertPayload extends WithUserErrors {
  readonly alert?: AlertObject;
}

export const AcknowledgeAlertPayload = payloadType<AlertPayload>(
  'acknowledgeAlert',
  'alert',
  () => AlertObject,
  'The alert as it is now.',
);
export const ResolveAlertPayload = payloadType<AlertPayload>(
  'resolveAlert',
  'alert',
  () => AlertObject,
  'The alert as it is now.',
);
